from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.choices import Speaker
from tenants.models.tenant import Tenant


class TranscriptEntry(models.Model):
    """What one side said in one go. Of the agent: what the caller has heard of it."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="transcript")
    item_id = models.CharField(max_length=255)
    position = models.PositiveIntegerField()
    speaker = models.CharField(_("speaker"), max_length=8, choices=Speaker.choices)
    text = models.TextField(_("text"), blank=True)
    cut_text = models.TextField(_("cut off"), blank=True)
    final = models.BooleanField(default=False)
    offset_ms = models.PositiveBigIntegerField(_("at"), default=0)
    duration_ms = models.PositiveBigIntegerField(_("duration"), default=0)
    command = models.UUIDField(null=True, editable=False)
    """Of the CallEvent by which a person had the agent say it; None: its own words."""

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("transcript entry")
        verbose_name_plural = _("transcript")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["call", "item_id"], name="entry_once_a_call"),
            models.CheckConstraint(
                condition=models.Q(speaker__in=Speaker.values), name="entry_speaker_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_speaker_display()} {self.offset_ms} ms"
