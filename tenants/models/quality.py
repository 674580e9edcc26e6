from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.tenant import Tenant


class CallQuality(models.Model):
    """What the line was like, as the worker measured it (contract.CallMeasured); null: unknown."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.OneToOneField(
        Call, on_delete=models.CASCADE, related_name="quality", verbose_name=_("call")
    )
    packets_received = models.PositiveBigIntegerField(_("packets received"), null=True)
    packets_lost = models.PositiveBigIntegerField(_("of them lost"), null=True)
    packets_discarded = models.PositiveBigIntegerField(
        _("received too late to be played"), null=True
    )
    packets_sent = models.PositiveBigIntegerField(_("packets sent"), null=True)
    remote_lost = models.PositiveBigIntegerField(_("of them lost on the way"), null=True)
    jitter_ms = models.FloatField(_("jitter, ms"), default=0.0)
    jitter_max_ms = models.FloatField(_("greatest jitter, ms"), default=0.0)
    round_trip_ms = models.FloatField(_("round trip, ms"), null=True)
    late_frames = models.PositiveBigIntegerField(_("late frames"), default=0)
    underruns = models.PositiveBigIntegerField(_("gaps in the agent's speech"), default=0)
    dropped_ms = models.PositiveBigIntegerField(_("caller's sound lost here, ms"), default=0)
    heard_ms = models.PositiveBigIntegerField(_("caller's sound, ms"), default=0)
    not_sent_ms = models.PositiveBigIntegerField(_("not sent to the provider, ms"), default=0)
    mos = models.FloatField(_("quality (MOS)"), null=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("quality of a call")
        verbose_name_plural = _("qualities of calls")

    def __str__(self) -> str:
        return str(self.call)
