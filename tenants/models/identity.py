from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tenants.managers import TenantManager, UnscopedManager
from tenants.models.choices import IdentityKind
from tenants.models.fields import EncryptedField
from tenants.models.tenant import Tenant
from tenants.models.validators import validate_domains, validate_not_blank


class IdentityProvider(models.Model):
    """A tenant's own sign-in. It vouches for people in this tenant only."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="identity_providers")
    kind = models.CharField(
        _("kind"), max_length=8, choices=IdentityKind.choices, default=IdentityKind.OIDC
    )
    name = models.CharField(_("name"), max_length=100, validators=[validate_not_blank])
    issuer = models.URLField(_("issuer"), max_length=500, blank=True)
    """OIDC: what `/.well-known/openid-configuration` is under; SAML: address of the metadata, empty
    where somebody pasted it."""
    entity_id = models.CharField(_("entity ID"), max_length=1024, blank=True)
    """SAML, as the metadata says: by what name the provider signs."""
    sso_url = models.URLField(_("sign-in address"), max_length=1000, blank=True)
    """SAML, as the metadata says: where a browser is sent to."""
    certificates = models.TextField(_("certificates"), blank=True)
    """SAML, as the metadata says: what the provider signs with, DER in base64, one a line."""
    client_id = models.CharField(_("client id"), max_length=255, blank=True)
    secret = EncryptedField(_("client secret"), blank=True, default=b"")
    secret_hint = models.CharField(_("secret ends in"), max_length=4, blank=True, editable=False)
    domains = models.JSONField(
        _("domains"), default=list, blank=True, validators=[validate_domains]
    )
    """E-mail domains that it may vouch for; empty: none but those of members."""
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = TenantManager()
    all_tenants = UnscopedManager()

    class Meta:
        verbose_name = _("identity provider")
        verbose_name_plural = _("identity providers")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"],
                name="identity_name_once_a_tenant",
                violation_error_message=_("An identity provider of this name exists already."),
            ),
            models.CheckConstraint(
                condition=Q(kind__in=IdentityKind.values), name="identity_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def secret_owner(self) -> str:
        return str(self.tenant.public_id)
