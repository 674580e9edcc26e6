from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.choices import CommandState, NoteKind
from tenants.models.tenant import Tenant


class CallEvent(models.Model):
    """An entry of a call's log: what happened on the line, and what people asked of the call.

    What a person asks for is written as `asked` before the worker is told, and becomes `done` or
    `failed` with its answer.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(_("event"), max_length=32, choices=NoteKind.choices)
    offset_ms = models.BigIntegerField(_("at"), default=0)
    """From the call's answer."""
    text = models.CharField(_("detail"), max_length=500, blank=True)
    """A key, what was to be said, where to; of a failed one, why it failed."""
    command = models.UUIDField(null=True, unique=True, editable=False)
    state = models.CharField(
        _("state"),
        max_length=8,
        choices=CommandState.choices,
        default=CommandState.NONE,
        blank=True,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("who"),
    )
    at = models.DateTimeField(_("time"), default=timezone.now)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("event of a call")
        verbose_name_plural = _("events of calls")
        ordering = ["offset_ms", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=NoteKind.values), name="call_event_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(state=CommandState.NONE)
                | Q(state__in=CommandState.values, command__isnull=False),
                name="call_event_state_of_command",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.offset_ms} ms"
