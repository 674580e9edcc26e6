"""Who watches a socket, and what he may see: found in the database, good for a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils import timezone, translation
from django_scopes import scope as tenant_scope

from tenants.access import IDENTITY_KEY, Right, get_tenant
from tenants.models import Member, Tenant, User

SIGNED_OUT: Final = 4401
FORBIDDEN: Final = 4403
NOT_FOUND: Final = 4404
TRY_AGAIN: Final = 4503
RIGHTS_SECONDS: Final = 1.0
"""Who lost a membership or signed out hears at most so long what still comes."""


class Refused(Exception):  # noqa: N818 - says what is the matter
    """The viewer may not hear this; carries the close code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person at a tenant's socket."""

    user: User
    tenant: Tenant
    member: Member
    language: str
    found_at: float
    """On the monotonic clock."""

    def is_fresh(self) -> bool:
        return monotonic() - self.found_at < RIGHTS_SECONDS

    @contextmanager
    def eyes(self) -> Iterator[None]:
        """The viewer's tenant, words and clock."""
        with (
            tenant_scope(tenant=self.tenant),
            translation.override(self.language),
            timezone.override(ZoneInfo(self.user.time_zone)),
        ):
            yield


def find_viewer(
    scope: Mapping[str, Any], slug: str, *, language: str = "", right: Right = "view"
) -> Viewer:
    """The person at the other end, as the database has him now. Raises Refused."""
    try:
        user = find_user(scope)
        session = scope.get("session")
        vouched = session.get(IDENTITY_KEY) if session is not None else None
        tenant, member = get_tenant(user, slug, right=right, only=vouched)
    except Http404:
        raise Refused(NOT_FOUND) from None
    except PermissionDenied:
        raise Refused(FORBIDDEN) from None
    except (OperationalError, InterfaceError):
        raise Refused(TRY_AGAIN) from None
    return Viewer(user, tenant, member, reader_language(language, user), monotonic())


def find_user(scope: Mapping[str, Any]) -> User:
    """Who is signed in; a session that is gone is signed out. Raises Refused."""
    known = scope["user"]
    if known is None or not known.is_authenticated:
        raise Refused(SIGNED_OUT)
    session = scope.get("session")
    key = session.session_key if session is not None else None
    store = import_module(settings.SESSION_ENGINE).SessionStore
    if key and not store().exists(key):
        raise Refused(SIGNED_OUT)
    user = User.objects.filter(pk=known.pk, is_active=True).first()
    if user is None:
        raise Refused(SIGNED_OUT)
    return user


def reader_language(asked: str, user: User) -> str:
    """The language of the page that asks; without it the person's own."""
    known = dict(settings.LANGUAGES)
    return next((code for code in (asked, user.language) if code in known), settings.LANGUAGE_CODE)
