"""Defaults, provider accounts and numbers of the tenant."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.portal import accounts, company, keeping, numbers, rotation, settings

patterns: list[URLPattern] = [
    path("numbers/", numbers.numbers, name="numbers"),
    path("numbers/new/", numbers.number_new, name="number_new"),
    path("numbers/<uuid:number_id>/", numbers.number, name="number"),
    path("numbers/<uuid:number_id>/delete/", numbers.number_delete, name="number_delete"),
    path("settings/", settings.settings, name="settings"),
    path("settings/accounts/", accounts.accounts, name="accounts"),
    path("settings/accounts/new/", accounts.account_new, name="account_new"),
    path("settings/accounts/<uuid:account_id>/", accounts.account, name="account"),
    path(
        "settings/accounts/<uuid:account_id>/check/", accounts.account_check, name="account_check"
    ),
    path(
        "settings/accounts/<uuid:account_id>/delete/",
        accounts.account_delete,
        name="account_delete",
    ),
    path(
        "settings/accounts/<uuid:account_id>/rotate/",
        rotation.account_rotate,
        name="account_rotate",
    ),
    path("settings/keeping/", keeping.keeping, name="keeping"),
    path("settings/company/", company.company, name="company"),
]
