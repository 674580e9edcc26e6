"""Walks pages in the browser, at a desk in English and on a telephone in German."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from playwright.async_api import Browser, BrowserContext, Page

from tenants.models import User
from tests.e2e import looks
from tests.e2e.chromium import BROWSER_MS

DESK: Final = 1440
WIDTHS: Final = (390, 320)
"""A telephone; and what WCAG 1.4.10 (reflow) asks for."""
ASKED: Final = "confirm"
"""The dialog that a page has for all its questions; it is empty until it asks one."""

Look = Callable[[Page], Awaitable[list[str]]]


@asynccontextmanager
async def window(
    chromium: Browser, web: str, user: User | None, width: int, locale: str = "en"
) -> AsyncIterator[BrowserContext]:
    """A window in which `user` is signed in."""
    context = await chromium.new_context(
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
        base_url=web,
        locale=locale,
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
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time.time()}]
    session.create()
    return str(session.session_key)


async def walk(
    context: BrowserContext, paths: Sequence[str], look: Look, *, status: int = 200
) -> list[str]:
    """What is found on these pages, with the page's path before it."""
    found: list[str] = []
    page = await context.new_page()
    page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))
    for path in paths:
        answer = await page.goto(path)
        assert answer is not None
        if answer.status != status:
            found.append(f"{path}: answers {answer.status}")
            continue
        if not (await answer.text()).lstrip().lower().startswith("<!doctype"):
            await put_into_a_page(page, await answer.text())
        found += [f"{path}: {what}" for what in await look(page)]
    return found


async def put_into_a_page(page: Page, part: str) -> None:
    """A part that a page fetches is looked at where pages have it."""
    await page.goto("/")
    await page.evaluate("(part) => { document.getElementById('main').innerHTML = part; }", part)


async def at_a_desk(page: Page) -> list[str]:
    found = await looks.refused(page) + await looks.jumps(page)
    found += await looks.tabs(page)
    await page.evaluate("looks.unfold()")
    found += await looks.rules(page)
    found += await in_dialogs(page)
    await page.emulate_media(color_scheme="dark")
    found += [f"(dark) {what}" for what in await looks.rules(page, only=looks.COLOURS)]
    await page.emulate_media(color_scheme="light")
    return found


async def in_dialogs(page: Page) -> list[str]:
    found = []
    dialogs = await page.evaluate("[...document.querySelectorAll('dialog')].map((one) => one.id)")
    for dialog in set(dialogs) - {ASKED}:
        await page.evaluate("(id) => document.getElementById(id).showModal()", dialog)
        found += [f"#{dialog}: {what}" for what in await looks.tabs(page)]
        found += [f"#{dialog}: {what}" for what in await looks.rules(page, f"#{dialog}")]
        await page.evaluate("(id) => document.getElementById(id).close()", dialog)
    return found


async def on_a_telephone(page: Page) -> list[str]:
    found = await looks.refused(page) + await looks.jumps(page)
    await page.evaluate("looks.unfold()")
    found += [f"(phone) {what}" for what in await looks.rules(page, only=looks.SIZES)]
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 844})
        found += [f"({width} px) {what}" for what in await looks.width(page)]
    await page.set_viewport_size({"width": WIDTHS[0], "height": 844})
    return found


async def both(
    chromium: Browser,
    web: str,
    desk: User | None,
    telephone: User | None,
    paths: Sequence[str],
    *,
    status: int = 200,
) -> list[str]:
    """The same pages at a desk and on a telephone, at the same time."""
    async with (
        window(chromium, web, desk, DESK) as wide,
        window(chromium, web, telephone, WIDTHS[0], "de") as narrow,
    ):
        found = await asyncio.gather(
            walk(wide, paths, at_a_desk, status=status),
            walk(narrow, paths, on_a_telephone, status=status),
        )
    return [*found[0], *found[1]]
