"""Customers: the list, a new one, its limits, off and on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.models import Call, DayStats, Invitation, Member, Number, Tenant
from tenants.models.call import OPEN
from tenants.models.choices import Role
from tenants.models.invitation import OPEN_INVITATION
from tenants.portal.forms import take_errors
from tenants.portal.opening_fields import zones
from tenants.services import catalogue, mail, members, support, usage
from tenants.services import tenants as service
from tenants.templatetags.ui import count, minutes, money, sums_of_money

A_PAGE: Final = 50
STATES: Final = {"": Q(), "on": Q(is_active=True), "off": Q(is_active=False)}


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]
    """What the operator decides about a customer."""

    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("Days and months of the usage go by this clock."),
    )

    class Meta:
        model = Tenant
        fields: tuple[str, ...] = ("name", "time_zone", *service.LIMITS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone: Any = self.fields["time_zone"]
        zone.choices = [(name, name) for name in zones(self.instance.time_zone)]


class NewTenantForm(TenantForm):
    owner_email = forms.EmailField(
        label=gettext_lazy("The owner's e-mail address"),
        max_length=254,
        help_text=gettext_lazy("Gets an invitation; invites all others."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )

    class Meta(TenantForm.Meta):
        fields = ("name", "slug", "time_zone", *service.LIMITS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["slug"].required = False
        self.fields["slug"].help_text = _("Part of the portal's addresses. Empty: from the name.")

    def clean_slug(self) -> str:
        """What was typed, else the name in the letters of an address."""
        slug: str = self.cleaned_data["slug"] or slugify(self.cleaned_data.get("name", ""))[:50]
        if not slug:
            raise ValidationError(_("Give a short name of letters and digits."))
        return slug


@console_page
def tenants(request: ConsoleRequest) -> HttpResponse:
    words, state = request.GET.get("q", "").strip(), request.GET.get("state", "")
    found = Tenant.objects.filter(STATES.get(state, Q())).order_by("name", "pk")
    if words:
        found = found.filter(Q(name__icontains=words) | Q(slug__icontains=words))
    page = Paginator(found, A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": _rows(page),
        "words": words,
        "state": state,
        "states": [("", _("All")), ("on", _("On")), ("off", _("Switched off"))],
        "none_at_all": not (words or state or page.paginator.count),
    }
    return render_page(request, "console/tenants.html", context, here="tenants")


def _rows(page: Page[Tenant]) -> list[dict[str, Any]]:
    """What the page shows of each customer; sums only of those on it."""
    shown = list(page)
    running = dict(
        Call.all_tenants.filter(OPEN, tenant__in=shown)
        .order_by()
        .values_list("tenant")
        .annotate(n=Count("pk"))
    )
    numbers = dict(
        Number.all_tenants.filter(tenant__in=shown)
        .order_by()
        .values_list("tenant")
        .annotate(n=Count("pk"))
    )
    spent = _spent(shown)
    return [
        {
            "tenant": tenant,
            "running": running.get(tenant.pk, 0),
            "numbers": numbers.get(tenant.pk, 0),
            "spent": sums_of_money(spent.get(tenant.pk, {})),
        }
        for tenant in shown
    ]


def _spent(tenants: list[Tenant]) -> dict[int, dict[str, Decimal]]:
    """What the days of the month that are over cost, by customer and currency."""
    sums = (
        DayStats.all_tenants.filter(
            tenant__in=tenants, day__gte=timezone.now().date().replace(day=1)
        )
        .exclude(currency="")
        .order_by()
        .values_list("tenant", "currency")
        .annotate(sum=Sum("cost"))
    )
    found: dict[int, dict[str, Decimal]] = {}
    for tenant_id, currency, cost in sums:
        found.setdefault(tenant_id, {})[currency] = cost
    return found


@console_page
def tenant_new(request: ConsoleRequest) -> HttpResponse:
    form = NewTenantForm(request.POST or None, instance=Tenant())
    if request.method == "POST" and form.is_valid():
        try:
            created = service.create_tenant(
                tenant=form.instance,
                owner_email=form.cleaned_data["owner_email"],
                user=request.user,
            )
        except ValidationError as error:
            take_errors(form, _at_owner(error))
        else:
            return _invited(request, created.tenant, created.invitation, created.token)
    return render_page(request, "console/tenant_new.html", {"form": form}, here="tenants")


def _at_owner(error: ValidationError) -> ValidationError:
    """What is wrong with the invitation's address stands at the form's field for it."""
    if not hasattr(error, "error_dict"):
        return error
    return ValidationError(
        {
            "owner_email" if name == "email" else name: texts
            for name, texts in error.message_dict.items()
        }
    )


def _invited(
    request: ConsoleRequest, found: Tenant, invitation: Invitation, token: str
) -> HttpResponse:
    """Send the owner's letter; where it lies in a folder or did not go out, show its link once."""
    language = get_language() or "en"
    sent = members.send_letter(invitation=invitation, token=token, language=language)
    if sent and not mail.is_filed():
        names = {"name": found.name, "email": invitation.email}
        messages.success(request, _("%(name)s is here; %(email)s is invited.") % names)
        return redirect("console:tenant", tenant_id=found.public_id)
    link = members.link_of(token)
    return _tenant_page(request, found, TenantForm(instance=found), link=link)


@console_page
@require_POST
def owner_invite(request: ConsoleRequest, tenant_id: UUID) -> HttpResponse:
    """Invite an owner where there is none."""
    found = get_object_or_404(Tenant, public_id=tenant_id)
    try:
        email = request.POST.get("email", "")
        invitation, token = service.invite_owner(tenant=found, email=email, user=request.user)
    except ValidationError as error:
        return _refused(request, found, error)
    return _invited(request, found, invitation, token)


@console_page
@require_POST
def owner_again(request: ConsoleRequest, tenant_id: UUID, invitation_id: UUID) -> HttpResponse:
    """Another letter to the owner who has not come; with `withdraw`, none any more."""
    invitation = get_object_or_404(
        Invitation.all_tenants.select_related("tenant", "invited_by"),
        OPEN_INVITATION,
        tenant__public_id=tenant_id,
        public_id=invitation_id,
    )
    try:
        if "withdraw" in request.POST:
            service.withdraw_owner(invitation=invitation, user=request.user)
            text = _("The invitation of %(email)s is withdrawn.")
            messages.success(request, text % {"email": invitation.email})
            return redirect("console:tenant", tenant_id=tenant_id)
        token = service.invite_owner_again(invitation=invitation, user=request.user)
    except ValidationError as error:
        return _refused(request, invitation.tenant, error)
    return _invited(request, invitation.tenant, invitation, token)


def _refused(request: ConsoleRequest, found: Tenant, error: ValidationError) -> HttpResponse:
    messages.error(request, " ".join(error.messages))
    return redirect("console:tenant", tenant_id=found.public_id)


@console_page
def tenant(request: ConsoleRequest, tenant_id: UUID) -> HttpResponse:
    found = get_object_or_404(Tenant, public_id=tenant_id)
    form = TenantForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        try:
            service.change_tenant(tenant=form.instance, user=request.user)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("The limits are saved. New calls feel them at once."))
            return redirect("console:tenant", tenant_id=found.public_id)
    # A form that was refused has changed its row.
    stored = get_object_or_404(Tenant, pk=found.pk) if form.is_bound else found
    return _tenant_page(request, stored, form)


def _tenant_page(
    request: ConsoleRequest, found: Tenant, form: TenantForm, *, link: str = ""
) -> HttpResponse:
    found_members = Member.all_tenants.filter(tenant=found).select_related("user")
    people = list(found_members.order_by("role", "pk")[:A_PAGE])
    context = {
        "tenant": found,
        "form": form,
        "link": link,
        "stats": _stats(found),
        "members": people,
        "invitations": Invitation.all_tenants.filter(
            OPEN_INVITATION, tenant=found, role=Role.OWNER
        ),
        "has_owner": any(one.role == Role.OWNER and one.user.is_active for one in people)
        or (len(people) == A_PAGE and service.has_owner(found)),
        "now": timezone.now(),
        "grant": support.open_grant(found),
        "uses": catalogue.warnings(found),
    }
    return render_page(request, "console/tenant.html", context, here="tenants")


def _stats(tenant: Tenant) -> list[dict[str, Any]]:
    """The numbers of the customer's month; nothing of what was said."""
    today = usage.today(tenant)
    month = usage.report(tenant=tenant, period=usage.Period(today.replace(day=1), today)).total
    spent = sums_of_money(month.costs)
    budget = (
        _("of %(budget)s") % {"budget": money(tenant.budget_month, tenant.budget_currency)}
        if tenant.budget_month
        else ""
    )
    running = Call.all_tenants.filter(OPEN, tenant=tenant).count()
    numbers = Number.all_tenants.filter(tenant=tenant).count()
    most = _("of %(count)s") % {"count": count(tenant.max_concurrent_calls)}
    return [
        {"label": _("Calls running"), "value": running, "note": most},
        {"label": _("Calls this month"), "value": count(month.calls), "note": ""},
        {"label": _("Minutes this month"), "value": minutes(month.duration_ms), "note": ""},
        {"label": _("Spend this month"), "value": spent, "note": budget},
        {
            "label": _("Numbers"),
            "value": numbers,
            "note": _("of %(count)s") % {"count": count(tenant.max_numbers)}
            if tenant.max_numbers is not None
            else "",
        },
    ]


@console_page
@require_POST
def tenant_suspend(request: ConsoleRequest, tenant_id: UUID) -> HttpResponse:
    """Switch a customer off; with `on`, on again."""
    found = get_object_or_404(Tenant, public_id=tenant_id)
    if "on" in request.POST:
        service.resume(tenant=found, user=request.user)
        text = _("%(name)s is switched on. Its calls are answered again.")
    else:
        service.suspend(tenant=found, user=request.user)
        text = _("%(name)s is switched off. New calls are refused, running ones go on.")
    messages.success(request, text % {"name": found.name})
    return redirect("console:tenant", tenant_id=found.public_id)
