from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.account import ProviderAccount
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
    fallback_account = models.ForeignKey(
        ProviderAccount,
        on_delete=models.RESTRICT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("second provider account"),
    )
    """Tried when the provider fails and a new session with it does not help either."""
    fallback_target = models.CharField(_("fallback: transfer to"), max_length=64, blank=True)
    """Name of one of the transfer targets; whom the caller is given to when no provider works."""
    published_revision = models.ForeignKey(
        "tenants.AgentRevision",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("published revision"),
    )
    """The newest one, kept by services/publishing, so that a list of agents is one query."""
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

    def clean(self) -> None:
        super().clean()
        account = self.fallback_account
        if account and account.tenant_id not in {None, self.tenant_id}:
            raise ValidationError(
                {"fallback_account": _("This provider account belongs to somebody else.")}
            )
        names = {target.get("name") for target in self.transfer_targets if isinstance(target, dict)}
        if self.fallback_target and self.fallback_target not in names:
            raise ValidationError(
                {"fallback_target": _("There is no transfer target of this name.")}
            )

    @property
    def published(self) -> AgentRevision | None:
        """The revision that answers calls now; None when none was published yet."""
        return self.published_revision
