"""Members of the tenant: who belongs to it, with which role, and who is invited."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from pbxai.accounts import locked_key
from tenants.models import Invitation, Member
from tenants.models.choices import Role
from tenants.models.invitation import OPEN_INVITATION
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.forms import take_errors
from tenants.portal.frame import page_url
from tenants.portal.settings_frame import render_settings
from tenants.services import mail
from tenants.services import members as service

ROLES: Final = (
    (Role.VIEWER, gettext_lazy("sees everything: calls, recordings, agents, usage")),
    (Role.EDITOR, gettext_lazy("also changes agents and numbers, and steps into running calls")),
    (
        Role.ADMIN,
        gettext_lazy("also looks after provider accounts, settings, tokens and deletes calls"),
    ),
    (
        Role.OWNER,
        gettext_lazy("also looks after members and sign-in, and may export or delete all data"),
    ),
)
"""What each role may, from the least to the most."""


class InviteForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(label=gettext_lazy("Role"), initial=Role.EDITOR)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role: Any = self.fields["role"]
        role.choices = [(value, value.label) for value, _may in ROLES]


@tenant_page()
def members(request: TenantRequest) -> HttpResponse:
    return _page(request, InviteForm())


@require_POST
@tenant_page("own")
def member_invite(request: TenantRequest) -> HttpResponse:
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        invitation, token = service.invite(
            tenant=request.tenant,
            user=request.user,
            email=form.cleaned_data["email"],
            role=form.cleaned_data["role"],
        )
    except ValidationError as error:
        take_errors(form, error)
        return _page(request, form)
    return _sent(request, invitation, token)


@require_POST
@tenant_page("own")
def invitation_again(request: TenantRequest, invitation_id: UUID) -> HttpResponse:
    """Send another letter; the link of the one before is dead."""
    found = _find_invitation(invitation_id)
    try:
        token = service.renew(invitation=found, user=request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect(page_url("members", request))
    return _sent(request, found, token)


@require_POST
@tenant_page("own")
def invitation_revoke(request: TenantRequest, invitation_id: UUID) -> HttpResponse:
    found = _find_invitation(invitation_id)
    service.withdraw(invitation=found, user=request.user)
    messages.success(
        request, _("The invitation of %(email)s is withdrawn.") % {"email": found.email}
    )
    return redirect(page_url("members", request))


@require_POST
@tenant_page("own")
def member_role(request: TenantRequest, member_id: UUID) -> HttpResponse:
    found = _find_member(member_id)
    name = found.user.get_full_name()
    try:
        saved = service.change_role(
            member=found, role=request.POST.get("role", found.role), user=request.user
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        text = _("%(name)s is now: %(role)s.")
        messages.success(request, text % {"name": name, "role": saved.get_role_display()})
    return redirect(page_url("members", request))


@require_POST
@tenant_page("own")
def member_remove(request: TenantRequest, member_id: UUID) -> HttpResponse:
    found = _find_member(member_id)
    name = found.user.get_full_name()
    try:
        service.remove(member=found, user=request.user)
    except service.LastOwner as error:
        messages.error(request, " ".join(error.messages))
        return redirect(page_url("members", request))
    messages.success(request, _("%(name)s does not belong here any more.") % {"name": name})
    is_you = found.user_id == request.user.pk
    return redirect("portal:home" if is_you else page_url("members", request))


def _sent(request: TenantRequest, invitation: Invitation, token: str) -> HttpResponse:
    """Send the letter; where letters only lie in a folder, show the link this once.

    Elsewhere the link is for the mailbox alone: opening it proves who it is.
    """
    went = service.send_letter(invitation=invitation, token=token, language=get_language() or "en")
    if mail.is_filed():
        return _page(request, InviteForm(), invited=invitation, link=service.link_of(token))
    if went:
        text = _("%(email)s is invited: an e-mail with a link is on its way.")
        messages.success(request, text % {"email": invitation.email})
    else:
        text = _("The e-mail to %(email)s could not be sent. Try “Send again” in a moment.")
        messages.error(request, text % {"email": invitation.email})
    return redirect(page_url("members", request))


def _page(request: TenantRequest, form: InviteForm, **more: Any) -> HttpResponse:
    people = list(Member.objects.select_related("user").order_by("user__name", "user__email"))
    locked = cache.get_many([locked_key(member.user.email) for member in people])
    context = {
        "people": [
            {
                "member": member,
                "name": member.user.get_full_name(),
                "is_locked": locked_key(member.user.email) in locked,
                "is_you": member.user_id == request.user.pk,
                "url": page_url("member_role", request, member_id=member.public_id),
                "remove": page_url("member_remove", request, member_id=member.public_id),
            }
            for member in people
        ],
        "invitations": [
            {
                "row": row,
                "is_over": row.expires_at <= timezone.now(),
                "again": page_url("invitation_again", request, invitation_id=row.public_id),
                "revoke": page_url("invitation_revoke", request, invitation_id=row.public_id),
            }
            for row in Invitation.objects.filter(OPEN_INVITATION)
        ],
        "roles": [(value, value.label, words) for value, words in ROLES],
        "form": form,
        **more,
    }
    return render_settings(request, "portal/members.html", context, page="members")


def _find_member(member_id: UUID) -> Member:
    return get_object_or_404(Member.objects.select_related("user", "tenant"), public_id=member_id)


def _find_invitation(invitation_id: UUID) -> Invitation:
    return get_object_or_404(
        Invitation.objects.select_related("tenant", "invited_by"), public_id=invitation_id
    )
