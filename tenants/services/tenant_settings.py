"""What a tenant sets for all its agents."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django_scopes import scope

from tenants.models import ProviderAccount, TenantSettings, User
from tenants.models.settings import SETTING_NAMES
from tenants.services import audit, prompts
from tenants.services.effective import merge, platform_settings, tenant_settings


def save_tenant_settings(*, row: TenantSettings, user: User | None) -> TenantSettings:
    """Check and save a tenant's settings; new calls have them at once.

    Raises ValidationError, also when values cannot hold together.
    """
    with scope(tenant=row.tenant), transaction.atomic():
        row.full_clean()
        conflicts = merge([("platform", platform_settings()), ("tenant", row)]).conflicts()
        if conflicts:
            raise ValidationError({name: [words] for name, words in conflicts.items()})
        before = TenantSettings.all_tenants.filter(pk=row.pk).first()
        row.save()
        audit.record(
            "settings.edit",
            row,
            tenant=row.tenant,
            user=user,
            changes=audit.diff(before, row, SETTING_NAMES),
        )
        prompts.prepare_all(row.tenant)
    return row


def speak_with(*, account: ProviderAccount, user: User | None) -> TenantSettings:
    """Let all agents of the account's tenant use it that have no account of their own."""
    if account.tenant is None:
        raise ValueError("The operator's accounts are chosen in the platform's defaults.")
    row = tenant_settings(account.tenant)
    row.provider_account = account
    return save_tenant_settings(row=row, user=user)
