"""Addresses of the web side."""

from __future__ import annotations

from allauth.account import views as account
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.urls import include, path, re_path

from pbxai import saml
from pbxai.health import healthz, readyz
from pbxai.identity import AWAY, guarded
from tenants.admin import admin_site

# Sign-up and changes of the e-mail address are not offered: people come by invitation, or the
# operator makes them.
_accounts = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path(
        "oidc/<str:provider_id>/login/",
        AWAY(guarded(openid_connect.login)),
        name="openid_connect_login",
    ),
    path(
        "oidc/<str:provider_id>/login/callback/",
        guarded(openid_connect.callback),
        name="openid_connect_callback",
    ),
    path("saml/<str:provider_id>/login/", saml.login, name="saml_login"),
    path("saml/<str:provider_id>/reply/", saml.reply, name="saml_reply"),
    path("saml/<str:provider_id>/finish/", saml.finish, name="saml_finish"),
    path("saml/<str:provider_id>/metadata/", saml.metadata, name="saml_metadata"),
    path("2fa/", include("allauth.mfa.urls")),
    path("sessions/", include("allauth.usersessions.urls")),
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
