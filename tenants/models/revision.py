from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import ImmutableError, ImmutableTenantManager, ImmutableUnscopedManager
from tenants.models.account import ProviderAccount
from tenants.models.agent import Agent
from tenants.models.settings import SettingsFields
from tenants.models.tenant import Tenant


class AgentRevision(SettingsFields):
    """An agent as it was published; written once. Null settings are inherited when a call comes."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField(_("revision"))
    name = models.CharField(_("name"), max_length=100)
    hang_up_enabled = models.BooleanField(_("agent may hang up"))
    transfer_targets = models.JSONField(_("transfer targets"), default=list, blank=True)
    fallback_account = models.ForeignKey(
        ProviderAccount,
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("second provider account"),
    )
    fallback_target = models.CharField(_("fallback: transfer to"), max_length=64, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )
    published_at = models.DateTimeField(_("published"), auto_now_add=True)

    objects = ImmutableTenantManager()
    all_tenants = ImmutableUnscopedManager()

    class Meta(SettingsFields.Meta):
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")
        ordering = ["-number"]
        constraints = [
            *SettingsFields.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant", "agent", "number"], name="revision_number_once_an_agent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} · {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ImmutableError("A published revision is never changed; publish a new one.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise ImmutableError("A published revision is never deleted.")

    def settings_tenant_id(self) -> int | None:
        return self.tenant_id
