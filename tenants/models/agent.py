from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.settings import SettingsFields
from tenants.models.tenant import Tenant
from tenants.models.validators import validate_not_blank, validate_transfer_targets

if TYPE_CHECKING:
    from tenants.models.revision import AgentRevision


class Agent(SettingsFields):
    """What answers a call. This row is the draft; calls get the last published AgentRevision."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="agents")
    name = models.CharField(_("name"), max_length=100, validators=[validate_not_blank])
    hang_up_enabled = models.BooleanField(_("agent may hang up"), default=True)
    transfer_targets = models.JSONField(
        _("transfer targets"),
        default=list,
        blank=True,
        validators=[validate_transfer_targets],
        help_text=_("Whom the agent may connect a caller to: name, address, description."),
    )
    draft_version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("changed by"),
    )

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta(SettingsFields.Meta):
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        ordering = ["name"]
        constraints = [
            *SettingsFields.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant", "name"],
                name="agent_name_once_a_tenant",
                violation_error_message=_("An agent of this name exists already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def settings_tenant_id(self) -> int | None:
        return self.tenant_id

    @property
    def published(self) -> AgentRevision | None:
        """The revision that answers calls now; None when none was published yet."""
        from tenants.models.revision import AgentRevision

        return AgentRevision.all_tenants.filter(agent=self).order_by("-number").first()
