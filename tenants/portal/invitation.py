"""The page behind an invitation's link: for somebody new, and for somebody who has a sign-in."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from tenants.access import IDENTITY_KEY
from tenants.models import Invitation, User
from tenants.portal.forms import take_errors
from tenants.services import members


class JoinForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=gettext_lazy("A password"),
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy(
            "At least 10 characters and not only digits; not your name, and none that many use."
        ),
    )


@never_cache
@sensitive_post_parameters("password")
def invitation(request: Any, token: str) -> HttpResponse:
    found = members.find_invitation(token)
    if found is None:
        return render(request, "portal/invitation_over.html", status=404)
    if request.user.is_authenticated:
        return _for_signed_in(request, found, token)
    if User.objects.filter(email__iexact=found.email).exists():
        sign_in = f"{reverse('account_login')}?{urlencode({'next': request.path})}"
        return _page(request, found, sign_in=sign_in)
    form = JoinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return _join(request, found, token, form)
        except members.NotForYou:
            return redirect(request.path)
        except ValidationError as error:
            take_errors(form, error)
    return _page(request, found, form=form)


def _for_signed_in(request: Any, found: Invitation, token: str) -> HttpResponse:
    """Somebody else has to sign out first; so has whom only another tenant's provider knows."""
    vouched = request.session.get(IDENTITY_KEY) not in {None, str(found.tenant.public_id)}
    is_other = vouched or found.email.lower() != request.user.email.lower()
    if request.method == "POST" and not is_other:
        try:
            members.accept(token=token, user=request.user)
        except members.NotForYou:
            return redirect(request.path)
        return redirect("portal:start", slug=found.tenant.slug)
    return _page(request, found, is_other=is_other, is_known=True)


def _join(request: HttpRequest, found: Invitation, token: str, form: JoinForm) -> HttpResponse:
    member = members.join(
        token=token,
        name=form.cleaned_data["name"],
        password=form.cleaned_data["password"],
        language=(get_language() or "")[:2],
    )
    first_page = reverse("portal:start", kwargs={"slug": found.tenant.slug})
    response: HttpResponse = perform_password_login(
        request,
        {"email": member.user.email},
        Login(user=member.user, redirect_url=first_page, email=member.user.email),
    )
    return response


def _page(request: HttpRequest, found: Invitation, **more: Any) -> HttpResponse:
    return render(request, "portal/invitation.html", {"invitation": found, **more})
