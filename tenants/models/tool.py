from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.call import Call
from tenants.models.choices import ToolState
from tenants.models.tenant import Tenant


class ToolCall(models.Model):
    """Something that the agent did: hang up, transfer."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="tool_calls")
    tool_call_id = models.CharField(max_length=255)
    position = models.PositiveIntegerField()
    name = models.CharField(_("tool"), max_length=100)
    arguments = models.JSONField(_("arguments"), default=dict)
    state = models.CharField(_("state"), max_length=16, choices=ToolState.choices)
    result = models.TextField(_("result"), blank=True)
    offset_ms = models.PositiveBigIntegerField(_("at"), default=0)
    duration_ms = models.PositiveBigIntegerField(_("duration"), default=0)
    command = models.UUIDField(null=True, editable=False)
    """Of the CallEvent by which a person asked for it; None: the agent did it by itself."""

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("tool call")
        verbose_name_plural = _("tool calls")
        ordering = ["position", "pk"]
        indexes = [models.Index(fields=["tenant", "name", "call"], name="tool_call_by_name")]
        constraints = [
            models.UniqueConstraint(fields=["call", "tool_call_id"], name="tool_call_once_a_call"),
            models.CheckConstraint(
                condition=models.Q(state__in=ToolState.values), name="tool_call_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} · {self.get_state_display()}"
