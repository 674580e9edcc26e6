from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.tenant import Tenant
from tenants.models.validators import validate_not_blank

SCOPES: Final = (
    "calls:read", "calls:write", "live:read", "live:act", "agents:read", "agents:write",
    "numbers:read", "numbers:write", "settings:read", "settings:write", "accounts:read",
    "accounts:write", "members:read", "members:write", "usage:read", "audit:read", "stream:read",
)  # fmt: skip
"""`area:level`. read: see; write: create, change, delete (reads too); act (reads too): what a
running call hears of, such as say, mute, transfer, hang up, and calls that are begun for trying."""


def validate_scopes(value: Any) -> None:
    """A list of SCOPES, none of them twice."""
    if not isinstance(value, list) or not value:
        raise ValidationError(_("Choose what the token may be used for."))
    for scope in value:
        if scope not in SCOPES:
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

    def holds_at(self, moment: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)
