from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.choices import RecordingProblem
from tenants.models.tenant import Tenant


def recording_path(recording: Recording, _name: str) -> str:
    return f"recordings/{recording.tenant.public_id}/{recording.call.public_id}.ogg"


class Recording(models.Model):
    """The sound of a call: stereo Opus in Ogg, the caller left, the agent right.

    There is a row once something is known: the file, why there is none or only a part of it, or
    that it was deleted. While the media worker still has it, there is none.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.OneToOneField(
        Call, on_delete=models.CASCADE, related_name="recording", verbose_name=_("call")
    )
    file = models.FileField(_("file"), upload_to=recording_path, max_length=255, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(_("bytes"), default=0)
    duration_ms = models.PositiveBigIntegerField(_("duration"), default=0)
    offset_ms = models.BigIntegerField(_("begins at"), default=0)
    """Place of its beginning on the call's clock: 0 is the answer."""
    problem = models.CharField(
        _("why it is missing or short"),
        max_length=32,
        blank=True,
        choices=RecordingProblem.choices,
    )
    peaks = models.BinaryField(default=b"", blank=True)
    """For the waveform: 1,000 bytes of the caller's lane, then as many of the agent's, each the
    greatest level of its part of the recording (0-255); empty until it was looked at."""
    created_at = models.DateTimeField(_("stored"), auto_now_add=True)
    deleted_at = models.DateTimeField(_("deleted"), null=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        constraints = [
            models.CheckConstraint(
                condition=Q(file="") | (~Q(sha256="") & Q(deleted_at=None)),
                name="recording_file_has_digest",
            ),
            models.CheckConstraint(
                condition=Q(problem__in=["", *RecordingProblem.values]),
                name="recording_problem_known",
            ),
        ]

    def __str__(self) -> str:
        return str(self.call)
