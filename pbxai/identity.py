"""Sign-in by a tenant's own identity provider, through django-allauth.

allauth's apps are built in memory from IdentityProvider: its own table would keep their secrets in
plain text. Who came in so is vouched for in that tenant alone, and gives themselves no other way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, cast

import requests
from allauth.account.signals import user_logged_in
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.base.constants import AuthError, AuthProcess
from csp.decorators import csp_update
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

OIDC: Final = "openid_connect"
SAML: Final = "saml"
View = Callable[..., HttpResponse]
AWAY: Final = cast("Callable[[View], View]", csp_update({"form-action": ["https:", "http:"]}))
"""For pages with a button that leads to a provider: browsers hold a form's redirects to form-action
as well, to the provider and from there to whomever it asks."""
OWN_SIGN_IN: Final = ("/accounts/2fa/", "/accounts/password/", "/accounts/sessions/")


class TenantIdentityAdapter(DefaultSocialAccountAdapter):
    """One app a provider of a tenant, known by its key."""

    def list_apps(
        self, request: HttpRequest, provider: Any = None, client_id: Any = None
    ) -> list[Any]:
        from allauth.socialaccount.models import SocialApp

        from tenants.models.choices import IdentityKind
        from tenants.services import identity

        row = identity.find(str(provider or ""))
        if row is None:
            return []
        key = identity.key_of(row)
        if row.kind == IdentityKind.SAML:
            return [SocialApp(provider=SAML, provider_id=key, name=row.name, client_id=key)]
        return [
            SocialApp(
                provider=OIDC,
                provider_id=key,
                name=row.name,
                client_id=row.client_id,
                secret=row.secret.reveal() if row.secret else "",
                settings={"server_url": row.issuer},
            )
        ]

    def get_requests_session(self) -> requests.Session:
        from tenants.services import outside

        return outside.session()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Any = None,
        extra_context: Any = None,
    ) -> None:
        """allauth has a page of its own for who thought better of it; we have no address for it."""
        if error == AuthError.CANCELLED:
            words = _("You broke off at your organisation's sign-in.")
            raise ImmediateHttpResponse(refused(request, words, status=403))

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Let in whom the provider may vouch for, and link them to it."""
        from tenants.services import identity

        row = identity.find(sociallogin.account.provider)
        if row is None:
            raise Http404
        claims = _claims(sociallogin.account.extra_data)
        try:
            user = identity.vouch(
                provider=row,
                email=str(claims.get("email") or ""),
                name=str(claims.get("name") or ""),
                is_verified=claims.get("email_verified"),
                linked=sociallogin.user if sociallogin.is_existing else None,
            )
        except identity.NotVouched as error:
            raise ImmediateHttpResponse(refused(request, str(error), status=403)) from None
        if not sociallogin.is_existing:
            sociallogin.connect(request, user)
        # Whatever the address asked for: who is vouched for signs in, and joins nothing to another.
        sociallogin.state["process"] = AuthProcess.LOGIN
        sociallogin.state["next"] = reverse("portal:start", args=[row.tenant.slug])


def refused(request: HttpRequest, why: str, *, status: int) -> HttpResponse:
    return render(request, "account/identity_refused.html", {"why": why}, status=status)


def _claims(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data.get("userinfo") or data.get("id_token") or data
    return found


@receiver(user_logged_in)
def note_who_vouched(request: HttpRequest, **kwargs: Any) -> None:
    """The session says whose provider vouched; a sign-in of the person's own says nothing."""
    from tenants.access import IDENTITY_KEY
    from tenants.services import identity

    sociallogin = kwargs.get("sociallogin")
    row = identity.find(sociallogin.account.provider) if sociallogin else None
    if row:
        request.session[IDENTITY_KEY] = str(row.tenant.public_id)
    else:
        request.session.pop(IDENTITY_KEY, None)


def guarded(view: View) -> View:
    """OpenID: a provider that is gone, or has moved to where we do not go, is no fault of ours."""

    @wraps(view)
    def page(request: HttpRequest, provider_id: str) -> HttpResponse:
        from tenants.models.choices import IdentityKind
        from tenants.services import identity

        row = identity.find(provider_id)
        if row is None or row.kind != IdentityKind.OIDC:
            raise Http404
        try:
            return view(request, provider_id)
        except requests.RequestException:
            words = _("Your organisation's sign-in does not answer. Try again in a moment.")
            return refused(request, words, status=502)

    return page


def vouched_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Who is vouched for by others gives themselves no second way in."""
    from tenants.access import IDENTITY_KEY

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(OWN_SIGN_IN) and request.session.get(IDENTITY_KEY):
            raise PermissionDenied
        return get_response(request)

    return middleware
