"""Tenants, their limits, what they inherit, models and prices."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.console import accounts, defaults, models, tenants

patterns: list[URLPattern] = [
    path("tenants/", tenants.tenants, name="tenants"),
    path("tenants/new/", tenants.tenant_new, name="tenant_new"),
    path("tenants/<uuid:tenant_id>/", tenants.tenant, name="tenant"),
    path("tenants/<uuid:tenant_id>/suspend/", tenants.tenant_suspend, name="tenant_suspend"),
    path("tenants/<uuid:tenant_id>/owner/", tenants.owner_invite, name="owner_invite"),
    path(
        "tenants/<uuid:tenant_id>/owner/<uuid:invitation_id>/",
        tenants.owner_again,
        name="owner_again",
    ),
    path("models/", models.models, name="models"),
    path("models/new/", models.model_new, name="model_new"),
    path("models/<int:model_id>/", models.model, name="model"),
    path("models/<int:model_id>/prices/", models.price_new, name="price_new"),
    path("accounts/", accounts.accounts, name="accounts"),
    path("accounts/new/", accounts.account_new, name="account_new"),
    path("accounts/<uuid:platform_account_id>/", accounts.account, name="account"),
    path(
        "accounts/<uuid:platform_account_id>/check/", accounts.account_check, name="account_check"
    ),
    path(
        "accounts/<uuid:platform_account_id>/delete/",
        accounts.account_delete,
        name="account_delete",
    ),
    path("defaults/", defaults.defaults, name="defaults"),
    path("defaults/explorer/", defaults.explorer, name="explorer"),
]
