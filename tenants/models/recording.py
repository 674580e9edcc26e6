from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.tenant import Tenant


def recording_path(recording: Recording, _name: str) -> str:
    return f"recordings/{recording.tenant.public_id}/{recording.call.public_id}.ogg"


class Recording(models.Model):
    """The sound of a call: stereo Opus in Ogg, the caller left, the agent right."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.OneToOneField(
        Call, on_delete=models.CASCADE, related_name="recording", verbose_name=_("call")
    )
    file = models.FileField(_("file"), upload_to=recording_path, max_length=255)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(_("bytes"))
    duration_ms = models.PositiveBigIntegerField(_("duration"))
    offset_ms = models.BigIntegerField(_("begins at"), default=0)
    """Place of its beginning on the call's clock: 0 is the answer."""
    created_at = models.DateTimeField(_("stored"), auto_now_add=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")

    def __str__(self) -> str:
        return str(self.call)
