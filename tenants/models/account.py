from __future__ import annotations

import uuid
from typing import Final

from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.choices import Auth, CheckState, ProblemKind
from tenants.models.fields import PLATFORM_OWNER, EncryptedField
from tenants.models.tenant import Tenant
from tenants.models.validators import validate_not_blank, validate_provider_url

HINT_FROM_LENGTH: Final = 12
"""The last four characters of a shorter secret would say too much of it."""


class ProviderAccount(models.Model):
    """Address and key at a realtime provider. Without a tenant it is the operator's, for all."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="accounts",
        verbose_name=_("customer"),
        help_text=_("Empty: the operator's own, offered to every customer."),
    )
    name = models.CharField(_("name"), max_length=100, validators=[validate_not_blank])
    url = models.CharField(
        _("address"),
        max_length=500,
        default="wss://api.openai.com/v1/realtime",
        validators=[validate_provider_url],
        help_text=_("WebSocket address of the realtime API, without the model."),
    )
    auth = models.CharField(
        _("how the key is sent"), max_length=16, choices=Auth.choices, default=Auth.BEARER
    )
    secret = EncryptedField(_("key"), blank=True, default=b"")
    secret_hint = models.CharField(_("key ends in"), max_length=4, blank=True, editable=False)
    secret_fingerprint = models.CharField(
        _("fingerprint of the key"), max_length=16, blank=True, editable=False
    )
    check_id = models.UUIDField(null=True, editable=False)
    check_state = models.CharField(
        _("check"), max_length=16, choices=CheckState.choices, blank=True, editable=False
    )
    check_kind = models.CharField(
        max_length=32, choices=ProblemKind.choices, blank=True, editable=False
    )
    check_message = models.TextField(blank=True, editable=False)
    check_requested_at = models.DateTimeField(null=True, editable=False)
    checked_at = models.DateTimeField(_("checked"), null=True, editable=False)
    next_secret = EncryptedField(_("next key"), blank=True, default=b"", editable=False)
    """Checked beside the key in use, which it then replaces: services/rotation."""
    next_secret_hint = models.CharField(max_length=4, blank=True, editable=False)
    next_check_id = models.UUIDField(null=True, editable=False)
    next_check_state = models.CharField(
        max_length=16, choices=CheckState.choices, blank=True, editable=False
    )
    next_check_message = models.TextField(blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    """When a call last opened a session with it, to the minute."""
    last_problem_kind = models.CharField(
        _("last problem"), max_length=32, choices=ProblemKind.choices, blank=True, editable=False
    )
    last_problem_message = models.TextField(blank=True, editable=False)
    last_problem_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("provider account")
        verbose_name_plural = _("provider accounts")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"],
                name="account_name_once_a_tenant",
                violation_error_message=_("A provider account of this name exists already."),
            ),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(tenant=None),
                name="account_name_once_for_operator",
                violation_error_message=_("A provider account of this name exists already."),
            ),
            models.UniqueConstraint(fields=["check_id"], name="account_check_once"),
            models.UniqueConstraint(fields=["next_check_id"], name="account_next_check_once"),
            models.CheckConstraint(
                condition=models.Q(next_check_state__in=CheckState.values),
                name="account_next_check_known",
            ),
            models.CheckConstraint(
                condition=models.Q(auth__in=Auth.values), name="account_auth_known"
            ),
            models.CheckConstraint(
                condition=models.Q(check_state__in=CheckState.values), name="account_check_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def secret_owner(self) -> str:
        return str(self.tenant.public_id) if self.tenant else PLATFORM_OWNER

    def set_secret(self, plain: str) -> None:
        """Keep a new key, with what may be shown of it; an earlier check says nothing of it."""
        self.secret = plain
        self.secret_hint = plain[-4:] if len(plain) >= HINT_FROM_LENGTH else ""
        self.secret_fingerprint = (
            salted_hmac("pbxai.secret.fingerprint", plain, algorithm="sha256").hexdigest()[:12]
            if plain
            else ""
        )
        self.forget_check()

    def forget_check(self) -> None:
        self.check_id = None
        self.check_state = CheckState.NONE
        self.check_kind = self.check_message = ""
        self.check_requested_at = self.checked_at = None
