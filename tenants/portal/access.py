"""The way into every page of the portal: signed in, a member of the tenant, with the right for it.

Not a member and no such tenant are the same 404; a member without the right gets 403. The view and
its template run inside the tenant's scope, so no query can reach another tenant's rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache
from django_scopes import scope

from tenants.access import IDENTITY_KEY, Right, get_tenant
from tenants.models import Member, Tenant, User


class TenantRequest(HttpRequest):
    """A request that `tenant_page` let in; for annotations, the class is never made."""

    user: User
    tenant: Tenant
    member: Member


def tenant_page(
    right: Right = "view", *, post: Right | None = None
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Require `right` for the page, and `post` (else the same) for what it sends back."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @never_cache
        @login_required
        @wraps(view)
        def page(request: Any, slug: str, **arguments: Any) -> HttpResponseBase:
            needed = post if post and request.method == "POST" else right
            request.tenant, request.member = get_tenant(
                request.user, slug, right=needed, only=request.session.get(IDENTITY_KEY)
            )
            with scope(tenant=request.tenant):
                return view(request, **arguments)

        return page

    return decorate
