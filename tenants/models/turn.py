from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.tenant import Tenant


class Turn(models.Model):
    """Timings of one turn of the agent, in ms from the call's answer; null: it did not happen."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="turns")
    number = models.PositiveIntegerField()
    caller_stopped_ms = models.PositiveBigIntegerField(_("caller stopped"), null=True)
    end_known_ms = models.PositiveBigIntegerField(_("end of turn known"), null=True)
    first_audio_ms = models.PositiveBigIntegerField(_("first audio"), null=True)
    first_packet_ms = models.PositiveBigIntegerField(_("first packet out"), null=True)
    playout_ended_ms = models.PositiveBigIntegerField(_("playout ended"), null=True)
    interrupted = models.BooleanField(_("interrupted"), default=False)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("turn")
        verbose_name_plural = _("turns")
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["call", "number"], name="turn_once_a_call")]

    def __str__(self) -> str:
        return str(self.number)
