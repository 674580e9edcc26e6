"""The tenant's own sign-in: its identity providers, and the page on which people use them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from pbxai.identity import AWAY
from tenants.models import IdentityProvider, Tenant
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_frame import render_settings
from tenants.services import identity as service
from tenants.services.mail import absolute

SALT: Final = "identity.promised"


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
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
        fields = ("name", "issuer", "client_id", "is_active")
        # The form has its own "issuer"; a URL field made of the model warns of its scheme.
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
        if not self.instance.secret:
            self.fields["plain_secret"].help_text = ""

    def domains(self) -> list[str]:
        words = str(self.cleaned_data["domain_list"]).replace(",", " ").split()
        return [word.lower().lstrip("@") for word in words]


@AWAY
@never_cache
def sign_in(request: HttpRequest, slug: str) -> HttpResponse:
    """Open to everybody: the buttons of a tenant's providers; without one, the ordinary sign-in."""
    tenant = Tenant.objects.filter(slug=slug, is_active=True).first()
    start = reverse("portal:start", kwargs={"slug": slug})
    ways = [
        {
            "name": row.name,
            "url": reverse("openid_connect_login", kwargs={"provider_id": service.key_of(row)}),
        }
        for row in IdentityProvider.all_tenants.filter(tenant=tenant, is_active=True)
    ]
    if tenant is None or not ways:
        return redirect(f"{reverse('account_login')}?next={start}")
    return render(request, "portal/sign_in.html", {"tenant": tenant, "ways": ways, "start": start})


@tenant_page("own")
def identity(request: TenantRequest) -> HttpResponse:
    rows = [
        {"provider": row, "url": page_url("identity_edit", request, provider_id=row.public_id)}
        for row in IdentityProvider.objects.all()
    ]
    context = {
        "providers": rows,
        "sign_in": absolute(reverse("portal:sign_in", args=[request.tenant.slug])),
    }
    return render_settings(request, "portal/identity.html", context, page="identity")


@sensitive_post_parameters("plain_secret")
@tenant_page("own")
def identity_new(request: TenantRequest) -> HttpResponse:
    row = IdentityProvider(tenant=request.tenant, public_id=_promised(request))
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
        IdentityProvider.objects.select_related("tenant"), public_id=provider_id
    )


def _promised(request: HttpRequest) -> UUID:
    """The id in the redirect address that the page has shown: providers ask for that first."""
    try:
        return UUID(Signer(salt=SALT).unsign(request.POST.get("promised", "")))
    except BadSignature:
        return uuid4()


def _form_page(request: TenantRequest, row: IdentityProvider, *, is_new: bool) -> HttpResponse:
    form = ProviderForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        row.domains = form.domains()
        try:
            service.save_provider(
                provider=form.instance,
                user=request.user,
                secret=form.cleaned_data["plain_secret"],
            )
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("“%(name)s” is saved.") % {"name": row.name})
            return redirect(page_url("identity", request))
    callback = reverse("openid_connect_callback", kwargs={"provider_id": service.key_of(row)})
    context = {
        "form": form,
        "provider": None if is_new else row,
        "promised": Signer(salt=SALT).sign(row.public_id.hex) if is_new else "",
        "callback": absolute(callback),
    }
    return render_settings(request, "portal/identity_edit.html", context, page="identity")
