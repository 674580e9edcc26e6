"""Who is at work: the audit log names him, whatever code is between the door and the change.

A door (a page, the API, a socket, a job, a command) says so once; it holds for all that runs in the
same context, in other threads too (asgiref hands the context on).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final

from tenants.models import ApiToken, SupportGrant, User
from tenants.models.choices import Via


@dataclass(frozen=True, slots=True)
class Actor:
    """The door, and who came through it; no user: the machine itself."""

    via: Via
    user: User | None = None
    token: ApiToken | None = None
    support: SupportGrant | None = None
    """One of the operator's people acts as the tenant's, by this grant."""
    address: str = ""
    """IP address; empty: not known."""
    request_id: str = ""


NOBODY: Final = Actor(via=Via.COMMAND)
"""Where no door said who comes in: a command, a shell."""
_current: ContextVar[Actor | None] = ContextVar("actor", default=None)


def current() -> Actor:
    return _current.get() or NOBODY


@contextmanager
def acting(actor: Actor) -> Iterator[Actor]:
    """Let `actor` be the current one for as long."""
    before = _current.set(actor)
    try:
        yield actor
    finally:
        _current.reset(before)


def become(actor: Actor) -> None:
    """The same to the end of the context: of a socket's task, for one."""
    _current.set(actor)


def note(**known: Any) -> None:
    """Something more is known of who came in: a token, a grant. Without a door it is forgotten, for
    nothing would end it.
    """
    actor = _current.get()
    if actor is not None:
        _current.set(replace(actor, **known))
