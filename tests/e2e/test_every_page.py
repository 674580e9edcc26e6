"""Every page of both doors in the browser: axe in light and dark, Tab alone, desk and telephone.

Names are as long as they may be. The desk reads English, the telephone German. Pages come from the
tables of addresses, so a new one is walked as soon as it has its row.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse
from django.utils import timezone
from playwright.async_api import Browser, BrowserContext, Page

from tenants.models import Call, IdentityProvider, ProviderModel, User, Worker
from tests.console import addresses as console
from tests.e2e import looks
from tests.e2e.chromium import BROWSER_MS
from tests.e2e.world import House, World
from tests.portal import addresses as portal
from tests.portal.conftest import talk
from tests.portal.gallery import gallery

LONG: Final = "Gemeinschaftspraxis Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbau Wien"
WIDTHS: Final = (390, 320)
"""A telephone; and what WCAG 1.4.10 (reflow) asks for."""
SIGNED_OUT: Final = ("account_login",)
SIGNED_IN: Final = ("account_change_password", "account_reauthenticate")

Look = Callable[[Page], Awaitable[list[str]]]


@dataclass(frozen=True)
class Place:
    house: House
    things: dict[str, Any]

    def portal(self) -> list[str]:
        slug = self.house.tenant.slug
        rows = [row for row in portal.PAGES if row.get and row.is_html]
        return [portal.url_of(row, self.things, slug) for row in rows]

    def console(self) -> list[str]:
        return [console.url_of(row, self.things) for row in console.PAGES if row.get]


@pytest.fixture
def place(world: World) -> Place:
    """A tenant in which everything has a long name, and a call in which everything happened."""
    house = world.house()
    for row in (house.tenant, house.agent):
        row.name = LONG[:80]
        row.save()
    house.publish("A note about what changed since the last time, and why it was changed at all.")
    house.account.name = LONG[:64]
    house.account.save()
    past = _call(house, "ended", ended_at=timezone.now(), duration_ms=60_000)
    talk(past)
    _call(house, "running")
    model = ProviderModel.objects.first()
    assert model is not None
    provider = IdentityProvider.all_tenants.create(
        tenant=house.tenant, name=LONG[:64], issuer="https://login.example.com"
    )
    things = {
        "call_id": past.public_id,
        "agent_id": house.agent.public_id,
        "number": 1,
        "number_id": house.number.public_id,
        "account_id": house.account.public_id,
        "tenant_id": house.tenant.public_id,
        "worker_id": Worker.objects.get(name="local").public_id,
        "model_id": model.pk,
        "provider_id": provider.public_id,
    }
    return Place(house, things)


def _call(house: House, state: str, **fields: Any) -> Call:
    now = timezone.now()
    return Call.all_tenants.create(
        public_id=uuid.uuid4(),
        tenant=house.tenant,
        number=house.number,
        agent=house.agent,
        revision=house.agent.published,
        worker=Worker.objects.get(name="local"),
        called=house.number.number,
        calling="+4930123456",
        calling_name=LONG[:64],
        state=state,
        started_at=now - timedelta(minutes=2),
        answered_at=now - timedelta(minutes=1),
        **fields,
    )


@pytest.fixture
def everybody(world: World, place: Place) -> dict[str, User]:
    """An owner who is one of the operator's people too: one who reads English, one German."""
    people = {}
    for language in ("en", "de"):
        email = f"walker-{language}-{place.house.tenant.slug}@house.example"
        user = world.person(email, place.house.tenant, "owner")
        User.objects.filter(pk=user.pk).update(language=language, is_staff=True, is_superuser=True)
        people[language] = user
    return people


@asynccontextmanager
async def window(
    chromium: Browser, web: str, user: User | None, width: int
) -> AsyncIterator[BrowserContext]:
    """A window in which `user` is signed in."""
    context = await chromium.new_context(
        viewport={"width": width, "height": 900}, reduced_motion="reduce", base_url=web
    )
    context.set_default_timeout(BROWSER_MS)
    await context.add_init_script(path=looks.SCRIPT)
    if user:
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": _session(user), "url": web}
        await context.add_cookies([cookie])  # type: ignore[list-item]
    try:
        yield context
    finally:
        await context.close()


def _session(user: User) -> str:
    """Signing in itself is tested elsewhere, and is throttled."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


async def walk(context: BrowserContext, paths: Sequence[str], look: Look) -> list[str]:
    """What is found on these pages, with the page's path before it."""
    found = []
    page = await context.new_page()
    for path in paths:
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        if not (await answer.text()).lstrip().lower().startswith("<!doctype"):
            await put_into_a_page(page, await answer.text())
        found += [f"{path}: {what}" for what in await look(page)]
    return found


async def put_into_a_page(page: Page, part: str) -> None:
    """A part that a page fetches is looked at where pages have it."""
    await page.goto("/")
    await page.evaluate("(part) => { document.getElementById('main').innerHTML = part; }", part)


async def at_a_desk(page: Page) -> list[str]:
    found = await looks.jumps(page)
    found += await looks.tabs(page)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [f"({scheme}) {what}" for what in await looks.rules(page)]
    await page.emulate_media(color_scheme="light")
    return found


async def on_a_telephone(page: Page) -> list[str]:
    found = [f"(phone) {what}" for what in await looks.rules(page)]
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 844})
        found += [f"({width} px) {what}" for what in await looks.width(page)]
    await page.set_viewport_size({"width": WIDTHS[0], "height": 844})
    return found


async def test_the_portal(place: Place, everybody: dict[str, User], chromium: Browser) -> None:
    assert await both(chromium, place.house.stack.web, everybody, place.portal()) == []


async def test_the_console(place: Place, everybody: dict[str, User], chromium: Browser) -> None:
    assert await both(chromium, place.house.stack.web, everybody, place.console()) == []


async def both(
    chromium: Browser, web: str, people: dict[str, User], paths: Sequence[str]
) -> list[str]:
    async with window(chromium, web, people["en"], 1440) as desk:
        found = await walk(desk, paths, at_a_desk)
    async with window(chromium, web, people["de"], WIDTHS[0]) as telephone:
        return found + await walk(telephone, paths, on_a_telephone)


async def test_the_entrance(place: Place, everybody: dict[str, User], chromium: Browser) -> None:
    web = place.house.stack.web
    for user, names in ((None, SIGNED_OUT), (everybody["en"], SIGNED_IN)):
        async with window(chromium, web, user, 1440) as desk:
            assert await walk(desk, [reverse(name) for name in names], at_a_desk) == []


async def test_components_that_no_page_shows(world: World, chromium: Browser) -> None:
    async with window(chromium, world.stack.web, None, 1440) as desk:
        page = await desk.new_page()
        await page.route(
            "**/gallery", lambda route: route.fulfill(body=str(gallery()), content_type="text/html")
        )
        await page.goto("/gallery")
        assert await at_a_desk(page) == []
        await page.get_by_role("button", name="Say something").click()
        await page.get_by_role("dialog").wait_for()
        assert await at_a_desk(page) == []
        await page.keyboard.press("Escape")
        assert await page.get_by_role("dialog").count() == 0
        await page.set_viewport_size({"width": WIDTHS[1], "height": 844})
        assert await looks.width(page) == []
