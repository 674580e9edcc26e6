"""Addresses of the web side."""

from __future__ import annotations

from allauth.account import views as account
from django.urls import include, path

from pbxai.health import healthz, readyz
from tenants.admin import admin_site

# Sign-up, e-mail changes and password resets by e-mail are not offered: the operator and the
# tenants' owners make users and set passwords.
_accounts = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
]

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("accounts/", include(_accounts)),
    path("admin/", admin_site.urls),
    path("console/", include("tenants.console.urls")),
    path("", include("tenants.api.urls")),
    path("", include("tenants.portal.urls")),
]
