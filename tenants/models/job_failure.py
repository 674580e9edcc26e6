from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobFailure(models.Model):
    """A job that ended with an error; the operator may have it run once more."""

    task = models.CharField(_("job"), max_length=200)
    task_id = models.CharField(max_length=64, blank=True)
    args = models.JSONField(default=dict)
    """`{"args": [...], "kwargs": {...}}`; they are ids, never content or secrets."""
    error = models.TextField(_("error"))
    at = models.DateTimeField(_("at"), auto_now_add=True, db_index=True)
    retried_at = models.DateTimeField(_("run again"), null=True)

    class Meta:
        verbose_name = _("failed job")
        verbose_name_plural = _("failed jobs")
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return self.task
