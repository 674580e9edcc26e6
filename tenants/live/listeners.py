"""Who takes the stream of events: a token or a session, one tenant, which events of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final

from tenants.access import token_may
from tenants.live import viewers
from tenants.live.viewers import FORBIDDEN, NOT_FOUND, SIGNED_OUT, Refused, find_viewer
from tenants.models import Member, Tenant, User
from tenants.services import stream, tokens
from tenants.services.workers import bearer_token

SCOPE: Final = "stream:read"


class BadQuery(Exception):  # noqa: N818 - says what is the matter
    """What was asked for does not exist; the message says so."""


@dataclass(frozen=True, slots=True)
class Listener:
    """`scope` is the connection's, with user and session; `token` wins over them."""

    scope: Mapping[str, Any]
    token: str
    slug: str
    types: frozenset[str]
    agent: str
    group: str = ""
    """Of its tenant's events, once it was looked up."""
    found_at: float = float("-inf")

    def is_fresh(self) -> bool:
        return monotonic() - self.found_at < viewers.RIGHTS_SECONDS

    def looked_up(self) -> Listener:
        """The same with its group, as the database has its rights now. Raises Refused."""
        tenant = self._of_token() if self.token else self._of_session()
        return replace(self, group=stream.stream_group(tenant), found_at=monotonic())

    def wants(self, document: dict[str, Any]) -> bool:
        return stream.wanted(document, types=self.types, agent=self.agent)

    def _of_token(self) -> Tenant:
        token = tokens.authenticate(self.token)
        if token is None:
            raise Refused(SIGNED_OUT)
        if self.slug and self.slug != token.tenant.slug:
            raise Refused(NOT_FOUND)
        if not token_may(token, SCOPE):
            raise Refused(FORBIDDEN)
        return token.tenant

    def _of_session(self) -> Tenant:
        return find_viewer(self.scope, self.slug or _only_tenant(self.scope["user"])).tenant


def listener(scope: Mapping[str, Any], authorization: str, query: Mapping[str, str]) -> Listener:
    """Raises BadQuery."""
    types = frozenset(word for word in query.get("types", "").split(",") if word)
    unknown = sorted(types - set(stream.KINDS))
    if unknown:
        raise BadQuery(f"There are no events of type {unknown[0]!r}.")
    return Listener(
        scope=scope,
        token=bearer_token(authorization),
        slug=query.get("tenant", ""),
        types=types,
        agent=query.get("agent", ""),
    )


def _only_tenant(user: User | None) -> str:
    """Of somebody who is in one tenant; else it has to be named."""
    if user is None or not user.is_authenticated:
        raise Refused(SIGNED_OUT)
    slugs = list(Member.all_tenants.filter(user=user).values_list("tenant__slug", flat=True)[:2])
    if len(slugs) != 1:
        raise Refused(NOT_FOUND)
    return slugs[0]
