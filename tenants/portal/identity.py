"""The tenant's own sign-in: its identity providers, and the page on which people use them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID, uuid4

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from pbxai.identity import AWAY
from pbxai.saml import ourselves
from tenants.models import IdentityProvider, Tenant, User
from tenants.models.choices import IdentityKind
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_frame import render_settings
from tenants.services import identity as service
from tenants.services.mail import absolute

SALT: Final = "identity.promised"
LOGINS: Final = {
    IdentityKind.OIDC: "openid_connect_login",
    IdentityKind.SAML: "saml_login",
}


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    domain_list = forms.CharField(
        required=False,
        label=gettext_lazy("Domains"),
        help_text=gettext_lazy(
            "Of e-mail addresses, separated by blanks: who has one comes in as a viewer without an"
            " invitation. Empty: only people who are members already."
        ),
    )

    class Meta:
        model = IdentityProvider
        fields: tuple[str, ...] = ("name", "is_active")
        # The forms have their own "issuer"; a URL field made of the model warns of its scheme.
        field_classes = {"issuer": forms.CharField}
        labels = {
            "name": gettext_lazy("Name"),
            "client_id": gettext_lazy("Client id"),
            "is_active": gettext_lazy("People may sign in by it"),
        }
        help_texts = {"name": gettext_lazy("Stands on the button: “Acme account”.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("domain_list", " ".join(self.instance.domains))

    def domains(self) -> list[str]:
        words = str(self.cleaned_data["domain_list"]).replace(",", " ").split()
        return [word.lower().lstrip("@") for word in words]

    def save_to(self, row: IdentityProvider, user: User) -> None:
        """Raises ValidationError."""
        row.domains = self.domains()
        plain, metadata = (self.cleaned_data.get(name, "") for name in ("plain_secret", "metadata"))
        service.save_provider(provider=row, user=user, secret=plain, metadata=metadata)


class OpenIdForm(ProviderForm):
    issuer = forms.URLField(
        label=gettext_lazy("Issuer"),
        max_length=500,
        assume_scheme="https",
        help_text=gettext_lazy("An address such as https://login.example.com/realms/acme"),
    )
    plain_secret = forms.CharField(
        required=False,
        max_length=4096,
        label=gettext_lazy("Client secret"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
        help_text=gettext_lazy("Empty: the one that is stored stays."),
    )

    class Meta(ProviderForm.Meta):
        fields = ("name", "issuer", "client_id", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.secret:
            self.fields["plain_secret"].help_text = ""


class SamlForm(ProviderForm):
    issuer = forms.URLField(
        required=False,
        label=gettext_lazy("Address of the metadata"),
        max_length=500,
        assume_scheme="https",
        help_text=gettext_lazy("Where your provider publishes it; it is read whenever you save."),
    )
    metadata = forms.CharField(
        required=False,
        max_length=500_000,
        label=gettext_lazy("Or the metadata itself"),
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text=gettext_lazy("XML, if your provider gives a file instead of an address."),
    )

    class Meta(ProviderForm.Meta):
        fields = ("name", "issuer", "is_active")


@AWAY
@never_cache
def sign_in(request: HttpRequest, slug: str) -> HttpResponse:
    """Open to everybody: the buttons of a tenant's providers; without one, the ordinary sign-in."""
    tenant = Tenant.objects.filter(slug=slug, is_active=True).first()
    start = reverse("portal:start", kwargs={"slug": slug})
    ways = [
        {
            "name": row.name,
            "url": reverse(
                LOGINS[IdentityKind(row.kind)], kwargs={"provider_id": service.key_of(row)}
            ),
        }
        for row in IdentityProvider.all_tenants.filter(
            tenant=tenant, is_active=True, kind__in=service.kinds()
        )
    ]
    if tenant is None or not ways:
        return redirect(f"{reverse('account_login')}?next={start}")
    return render(request, "portal/sign_in.html", {"tenant": tenant, "ways": ways, "start": start})


@tenant_page("own")
def identity(request: TenantRequest) -> HttpResponse:
    rows = [
        {"provider": row, "url": page_url("identity_edit", request, provider_id=row.public_id)}
        for row in IdentityProvider.objects.filter(kind__in=service.kinds())
    ]
    context = {
        "providers": rows,
        "has_saml": settings.SAML,
        "sign_in": absolute(reverse("portal:sign_in", args=[request.tenant.slug])),
    }
    return render_settings(request, "portal/identity.html", context, page="identity")


@sensitive_post_parameters("plain_secret")
@tenant_page("own")
def identity_new(request: TenantRequest) -> HttpResponse:
    kind = request.GET.get("kind", IdentityKind.OIDC)
    if kind not in service.kinds():
        raise Http404
    row = IdentityProvider(tenant=request.tenant, public_id=_promised(request), kind=kind)
    return _form_page(request, row, is_new=True)


@sensitive_post_parameters("plain_secret")
@tenant_page("own")
def identity_edit(request: TenantRequest, provider_id: UUID) -> HttpResponse:
    return _form_page(request, _find(provider_id), is_new=False)


@require_POST
@tenant_page("own")
def identity_delete(request: TenantRequest, provider_id: UUID) -> HttpResponse:
    found = _find(provider_id)
    service.delete_provider(provider=found, user=request.user)
    messages.success(request, _("Nobody signs in by “%(name)s” any more.") % {"name": found.name})
    return redirect(page_url("identity", request))


def _find(provider_id: UUID) -> IdentityProvider:
    return get_object_or_404(
        IdentityProvider.objects.select_related("tenant").filter(kind__in=service.kinds()),
        public_id=provider_id,
    )


def _promised(request: HttpRequest) -> UUID:
    """The id in the redirect address that the page has shown: providers ask for that first."""
    try:
        return UUID(Signer(salt=SALT).unsign(request.POST.get("promised", "")))
    except BadSignature:
        return uuid4()


def _form_page(request: TenantRequest, row: IdentityProvider, *, is_new: bool) -> HttpResponse:
    is_saml = row.kind == IdentityKind.SAML
    form = (SamlForm if is_saml else OpenIdForm)(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        try:
            form.save_to(row, request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("“%(name)s” is saved.") % {"name": row.name})
            return redirect(page_url("identity", request))
    context = {
        "form": form,
        "provider": None if is_new else row,
        "promised": Signer(salt=SALT).sign(row.public_id.hex) if is_new else "",
        **(_saml_words(row) if is_saml else _open_id_words(row)),
    }
    template = "portal/identity_saml.html" if is_saml else "portal/identity_edit.html"
    return render_settings(request, template, context, page="identity")


def _open_id_words(row: IdentityProvider) -> dict[str, Any]:
    path = reverse("openid_connect_callback", kwargs={"provider_id": service.key_of(row)})
    return {"callback": absolute(path)}


def _saml_words(row: IdentityProvider) -> dict[str, Any]:
    """What the provider wants of us, and what its metadata said."""
    from tenants.services import saml

    known = [(_("Entity ID"), row.entity_id, ""), (_("Sign-in address"), row.sso_url, "")]
    for found in saml.read_certificates(row.certificates.split()):
        until = date_format(localtime(found.until), "DATE_FORMAT")
        note = _("SHA-256 %(hex)s") % {"hex": found.fingerprint}
        known.append((_("Certificate"), _("until %(day)s") % {"day": until}, note))
    return {"we": ourselves(service.key_of(row)), "known": known if row.entity_id else []}
