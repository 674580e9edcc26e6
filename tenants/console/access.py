"""The way into every page of the console: signed in, and one of the operator's people.

Who is signed in and is not one of them gets 403. The pages see every tenant, so they run without a
scope; of what was said on calls and what agents are told they show nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache
from django_scopes import scopes_disabled

from tenants.models import User


class ConsoleRequest(HttpRequest):
    """A request that `console_page` let in; for annotations, the class is never made."""

    user: User


def console_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Require `is_staff`."""

    @never_cache
    @login_required
    @wraps(view)
    def page(request: Any, **arguments: Any) -> HttpResponseBase:
        if not request.user.is_staff:
            raise PermissionDenied
        with scopes_disabled():
            return view(request, **arguments)

    return page
