from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class Worker(models.Model):
    """One media worker process, as it last reported itself."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.SlugField(_("name"), max_length=64, unique=True)
    token_digest = models.CharField(max_length=64, editable=False)
    token_hint = models.CharField(_("token ends in"), max_length=4, editable=False)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Off: its token is refused.")
    )
    host = models.CharField(_("host"), max_length=255, blank=True, editable=False)
    version = models.CharField(_("version"), max_length=64, blank=True, editable=False)
    sip_build = models.CharField(_("SIP build"), max_length=64, blank=True, editable=False)
    capacity = models.PositiveIntegerField(_("capacity"), default=0, editable=False)
    addresses = models.JSONField(_("addresses"), default=list, editable=False)
    boot_id = models.CharField(max_length=64, blank=True, editable=False)
    link = models.CharField(max_length=200, blank=True, editable=False)
    """Channel of the link that counts; an older one of the same worker is closed."""
    connected = models.BooleanField(_("connected"), default=False, editable=False)
    draining = models.BooleanField(_("draining"), default=False, editable=False)
    drain_wanted = models.BooleanField(
        _("to be drained"),
        default=False,
        editable=False,
        help_text=_("It takes no new call; those that run go on."),
    )
    """What the operator wants; `draining` is what the worker says."""
    commands = models.JSONField(default=list, editable=False)
    """Tags of the frames that this build understands (contract.Hello.commands)."""
    browser_capacity = models.PositiveIntegerField(
        _("calls from browsers"), default=0, editable=False
    )
    active_browser_calls = models.PositiveIntegerField(
        _("calls from browsers now"), default=0, editable=False
    )
    cpu_percent = models.FloatField(_("CPU, percent of a core"), default=0.0, editable=False)
    memory_bytes = models.PositiveBigIntegerField(_("memory"), default=0, editable=False)
    late_frames = models.PositiveBigIntegerField(_("late frames"), default=0, editable=False)
    started_at = models.DateTimeField(_("started"), null=True, editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, editable=False)
    active_calls = models.PositiveIntegerField(_("calls"), default=0, editable=False)
    outbox_depth = models.PositiveIntegerField(_("outbox"), default=0, editable=False)
    rejected_frames = models.PositiveBigIntegerField(
        _("rejected frames"), default=0, editable=False
    )
    set_aside_records = models.PositiveBigIntegerField(
        _("records set aside"), default=0, editable=False
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("media worker")
        verbose_name_plural = _("media workers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_on_wheel(self) -> bool:
        """Its pjsua2 is PyPI's, for 4 calls; a build that takes more says so (`+calls512`)."""
        return bool(self.sip_build) and "+calls" not in self.sip_build and self.capacity <= 4


class WorkerStream(models.Model):
    """How far a worker's outbox is stored here."""

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="streams")
    stream = models.UUIDField()
    acknowledged = models.PositiveBigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["worker", "stream"], name="stream_once_a_worker")
        ]

    def __str__(self) -> str:
        return f"{self.worker} {self.stream}: {self.acknowledged}"


class SetAsideRecord(models.Model):
    """A record of a worker that could not be applied; kept so that nothing is lost."""

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="set_aside")
    stream = models.UUIDField()
    seq = models.PositiveBigIntegerField()
    reason = models.CharField(_("reason"), max_length=200)
    record = models.TextField(_("record"))
    """JSON as the worker sent it."""
    at = models.DateTimeField(_("stored"), auto_now_add=True)

    class Meta:
        verbose_name = _("record set aside")
        verbose_name_plural = _("records set aside")
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["worker", "stream", "seq"], name="set_aside_once")
        ]

    def __str__(self) -> str:
        return f"{self.worker} {self.seq}: {self.reason}"
