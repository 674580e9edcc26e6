from __future__ import annotations

import uuid
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.tenant import Tenant
from tenants.models.validators import validate_not_blank

AREAS: Final = (
    "calls", "live", "agents", "numbers", "settings", "accounts", "members", "usage", "audit",
    "stream",
)  # fmt: skip
"""What a token may be for."""
LEVELS: Final = ("read", "write", "act")
"""read: see; write: create, change, delete (reads too); act: what a running call hears of, such as
say, mute, transfer, hang up."""


def validate_scopes(value: Any) -> None:
    """A list of `area:level`, none of them twice."""
    if not isinstance(value, list) or not value:
        raise ValidationError(_("Choose what the token may be used for."))
    for scope in value:
        area, _colon, level = scope.partition(":") if isinstance(scope, str) else ("", "", "")
        if area not in AREAS or level not in LEVELS:
            raise ValidationError(_("“%(value)s” is no right of a token."), params={"value": scope})
    if len(set(value)) != len(value):
        raise ValidationError(_("A right is there twice."))


class ApiToken(models.Model):
    """A key to the REST API for one tenant; never more than its creator may at that moment."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=100, validators=[validate_not_blank])
    digest = models.CharField(max_length=64, editable=False)
    """SHA-256 of the token, in hexadecimal; the token itself is shown once and not kept."""
    hint = models.CharField(_("token ends in"), max_length=4, editable=False)
    scopes = models.JSONField(_("rights"), validators=[validate_scopes])
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("made by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("withdrawn"), null=True, editable=False)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name
