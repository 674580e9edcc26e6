"""Every socket, for everybody; every job, and who may start it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from channels.testing import HttpCommunicator, WebsocketCommunicator
from django.conf import settings
from django.test import Client
from django.urls import reverse

from pbxai.asgi import application
from tenants.models import Call, Tenant, User
from tenants.models.choices import ListenIn
from tests.conftest import make_user
from tests.matrix import collect
from tests.matrix.conftest import NOBODY, STAFF, STRANGER
from tests.matrix.expected import SOCKETS, STREAM, TASKS, WORKER
from tests.matrix.expected import STAFF as FOR_STAFF
from tests.portal.addresses import RANKS

WAIT = 30.0


def test_every_socket_has_a_row() -> None:
    assert collect.sockets() == set(SOCKETS)


def test_every_job_has_a_row_and_is_told_what_it_says() -> None:
    assert collect.tasks() == TASKS


def test_everything_that_beat_starts_is_there_and_is_told_nothing() -> None:
    started = {
        entry["task"].removeprefix("tenants.tasks.")
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
    }
    assert started <= set(TASKS)
    assert all(TASKS[name] == () for name in started)


HEADERS = [(b"origin", b"http://localhost"), (b"host", b"localhost")]


async def is_let_in(cookie: str, path: str) -> bool:
    headers = [*HEADERS, *([(b"cookie", cookie.encode())] if cookie else [])]
    communicator = WebsocketCommunicator(application, path, headers=headers)
    connected, _code = await communicator.connect(timeout=WAIT)
    if connected:
        await communicator.disconnect(timeout=WAIT)
    return bool(connected)


async def status_of_stream(cookie: str, path: str) -> int:
    """Of the server-sent events: the answer begins, and does not end by itself."""
    headers = [*HEADERS, *([(b"cookie", cookie.encode())] if cookie else [])]
    communicator = HttpCommunicator(application, "GET", path, headers=headers)
    await communicator.send_input({"type": "http.request", "body": b""})
    start = await communicator.receive_output(timeout=WAIT)
    await communicator.send_input({"type": "http.disconnect"})
    await communicator.wait(timeout=WAIT)
    return int(start["status"])


def is_due(who: str, least: str) -> bool:
    if least == FOR_STAFF:
        return who == STAFF
    return least != WORKER and who in RANKS and RANKS.index(who) >= RANKS.index(least)


@pytest.fixture
def cookies(
    acme: Tenant,
    alice: User,
    bob: User,
    erin: User,
    victor: User,
    charlie: User,
    browse: Callable[[User], Client],
) -> dict[str, str]:
    """Everybody's session, by what they are."""
    acme.listen_in = ListenIn.ADMINS
    acme.save()
    people = {
        "viewer": victor,
        "editor": erin,
        "admin": bob,
        "owner": alice,
        STRANGER: charlie,
        STAFF: make_user("sam@operator.example", is_staff=True),
    }
    name = settings.SESSION_COOKIE_NAME
    found = {who: f"{name}={browse(user).cookies[name].value}" for who, user in people.items()}
    return found | {NOBODY: ""}


@pytest.mark.django_db(transaction=True)
async def test_every_socket(cookies: dict[str, str], running: Call) -> None:
    wrong = [
        (route, who)
        for route, least in SOCKETS.items()
        for who, cookie in cookies.items()
        if await is_let_in(cookie, f"/{address(route, running)}") != is_due(who, least)
    ]
    assert wrong == []


@pytest.mark.django_db(transaction=True)
async def test_the_stream_of_events(cookies: dict[str, str]) -> None:
    name, least = STREAM
    for who, cookie in cookies.items():
        status = await status_of_stream(cookie, f"{reverse(name)}?tenant=acme")
        refused = 401 if who == NOBODY else 404
        assert status == (200 if is_due(who, least) else refused), who


def address(route: str, call: Call) -> str:
    values: dict[str, Any] = {
        "<slug:slug>": "acme",
        "<uuid:call_id>": call.public_id,
        "<uuid:agent_id>": call.agent.public_id if call.agent else "",
    }
    for part, value in values.items():
        route = route.replace(part, str(value))
    return f"{route}?tenant=acme"
