"""Sign-in by SAML: the provider for django-allauth, and the pages of the way there and back.

allauth's own pages are not used: they keep any stranger's POST in the database, read metadata
without looking where that leads to, and offer single logout, which we do not speak.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from pbxai.identity import AWAY, refused

if TYPE_CHECKING:
    from tenants.models import IdentityProvider
    from tenants.services.saml import Answer, Ourselves, Provider

log = logging.getLogger(__name__)


def ourselves(key: str) -> Ourselves:
    """What the tenant enters at their provider; `key`: tenants.services.identity.key_of()."""
    from tenants.services.mail import absolute
    from tenants.services.saml import Ourselves

    return Ourselves(
        absolute(reverse("saml_metadata", args=[key])), absolute(reverse("saml_reply", args=[key]))
    )


def _described(row: IdentityProvider) -> Provider:
    from tenants.services.saml import Provider

    return Provider(row.entity_id, row.sso_url, tuple(row.certificates.split()))


class TenantSamlProvider(SAMLProvider):
    """allauth's, with our request, and of the answer what we checked."""

    def redirect(
        self, request: HttpRequest, process: str, next_url: Any = None, data: Any = None, **_: Any
    ) -> HttpResponse:
        from tenants.services import saml

        key = self.app.provider_id
        url, request_id = saml.ask(_described(_find(key)), ourselves(key))
        self.stash_redirect_state(request, AuthProcess.LOGIN, state_id=request_id)
        return HttpResponseRedirect(url)

    def extract_uid(self, data: Answer) -> str:
        return data.uid

    def extract_extra_data(self, data: Answer) -> dict[str, Any]:
        return {"email": data.email, "name": data.name}

    def extract_common_fields(self, data: Answer) -> dict[str, Any]:
        return {"email": data.email}


def metadata(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Says nothing but its own addresses, so a provider that is not saved yet has it too."""
    from tenants.services.identity import is_key

    if not settings.SAML or not is_key(provider_id):
        raise Http404
    from tenants.services.saml import our_metadata

    text = our_metadata(ourselves(provider_id))
    return HttpResponse(text, content_type="application/samlmetadata+xml")


@AWAY
@never_cache
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    row = _find(provider_id)
    if request.method != "POST":
        return redirect("portal:sign_in", slug=row.tenant.slug)
    found: HttpResponse = _provider(request, row).redirect(request, AuthProcess.LOGIN)
    return found


@csrf_exempt
@require_POST
def reply(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Have the browser bring the answer once more from a page of ours: sent by another site, it
    brings no session along. Rendered without the request, so that it sets no cookies either.
    """
    _find(provider_id)
    answer = request.POST.get("SAMLResponse", "")
    if not answer:
        return refused(request, _("Your organisation's sign-in sent no answer."), status=400)
    onward = {"answer": answer, "onward": reverse("saml_finish", args=[provider_id])}
    return HttpResponse(render_to_string("account/saml_reply.html", onward))


@csrf_exempt
@never_cache
def finish(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Let in whom the answer names: to a request that this browser made, and has not used yet."""
    row = _find(provider_id)
    if request.method != "POST":
        return redirect("portal:sign_in", slug=row.tenant.slug)
    from tenants.services import saml

    try:
        answer = request.POST.get("SAMLResponse", "")
        said = saml.check(answer, _described(row), ourselves(provider_id))
    except saml.Refused as error:
        log.warning("SAML answer for tenant %s refused: %s", row.tenant.slug, error)
        words = _("The answer of your organisation's sign-in does not hold: %(why)s")
        return refused(request, words % {"why": error}, status=403)
    provider = _provider(request, row)
    sociallogin = provider.sociallogin_from_response(request, said)
    try:
        sociallogin.state = provider.unstash_redirect_state(request, said.request_id)
    except PermissionDenied:
        log.warning("SAML answer for tenant %s refused: nobody asked here", row.tenant.slug)
        words = _("This sign-in was not begun here, or is used up. Start again.")
        return refused(request, words, status=403)
    found: HttpResponse = complete_social_login(request, sociallogin)
    return found


def _find(key: str) -> IdentityProvider:
    from tenants.models.choices import IdentityKind
    from tenants.services import identity

    row = identity.find(key)
    if row is None or row.kind != IdentityKind.SAML:
        raise Http404
    return row


def _provider(request: HttpRequest, row: IdentityProvider) -> TenantSamlProvider:
    from tenants.services.identity import key_of

    found: TenantSamlProvider = get_adapter().get_provider(request, key_of(row))
    return found
