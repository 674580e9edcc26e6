"""From a word's event at the worker to the pixel: many calls that talk, many pages that watch.

The worker only talks: its outbox, its admission and its link are the real ones; it has no sound.
The web side is the product's; the pages are Chromium's, a window each.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.house import House
from bench.results import Promptness
from tests.support.pixels import NOTE_WORDS, STAGES, Talker, percentile, waits

WORDS_A_SECOND: Final = 3.0
"""Of each call: somebody who talks without a pause."""
WARM_WORDS: Final = 6
"""First ones of each call, while pages still open; not counted."""
WEB_NICE: Final = -15
"""Before the browsers, which elsewhere have machines of their own; Chromium's pages take -8."""
SCREEN: Final[Any] = {"width": 640, "height": 480}
"""Nothing but the processor draws the windows here."""
_WORDS: Final = {
    "disk": "event to the worker's disk",
    "socket": "event to the browser's socket",
    "page": "event to the page",
    "frame": "event to the pixel",
}


def pixels(
    house: House, calls: int, browsers: int, seconds: float, say: Callable[[str], None]
) -> list[Promptness]:
    """Times of every word on every page."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line a call
    places = range(calls)
    numbers = house.furnish("Pixels", places, lambda _call: "ws://127.0.0.1:9/v1/realtime", {})
    token, cookie, slug = _people(house)
    before = os.sched_getaffinity(0)
    # Chromium draws all the windows, and the core of the media worker is free here.
    os.sched_setaffinity(0, before | {house.cores.worker})
    try:
        found = asyncio.run(_measure(house, numbers, browsers, seconds, token, cookie, slug))
    finally:
        os.sched_setaffinity(0, before)
    times = [_promptness(stage, found[stage], calls, browsers) for stage in STAGES]
    for time in times:
        say(
            f"{time.name}: {time.p50:.0f} / {time.p95:.0f} / {time.worst:.0f} ms"
            f" (p50 / p95 / worst of {time.count})"
        )
    return times


def _promptness(stage: str, values: list[float], calls: int, browsers: int) -> Promptness:
    return Promptness(
        name=f"{_WORDS[stage]}, {calls} calls, {browsers} browsers",
        count=len(values),
        p50=percentile(values, 50),
        p95=percentile(values, 95),
        worst=max(values, default=float("nan")),
    )


def _people(house: House) -> tuple[str, str, str]:
    """A worker's token, a session of somebody who may watch, and the tenant's short name."""
    from django.conf import settings
    from django.test import Client

    from tenants.models import Member, Tenant, User
    from tenants.services.workers import create_worker

    tenant = Tenant.objects.filter(slug__startswith="bench-").latest("pk")
    user = User.objects.create_user(email=f"watch@{tenant.slug}.example", password=None)
    Member.all_tenants.create(tenant=tenant, user=user, role="viewer")
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    _worker, token = create_worker(name=f"talker-{tenant.slug}")
    return token, str(client.cookies[settings.SESSION_COOKIE_NAME].value), tenant.slug


async def _measure(
    house: House,
    numbers: list[str],
    browsers: int,
    seconds: float,
    token: str,
    cookie: str,
    slug: str,
) -> dict[str, list[float]]:
    web = f"http://127.0.0.1:{house.environment['PBXAI_HTTP_PORT']}"
    words = WARM_WORDS + round(seconds * WORDS_A_SECOND)
    with tempfile.TemporaryDirectory(dir=house.data) as folder:
        talker = Talker(web, token, Path(folder))
        await talker.open()
        for number in numbers:
            await talker.begin(number)
        house.put_first(WEB_NICE)
        # Evenly over all calls, as their words are over time.
        watched = [talker.talks[place * len(talker.talks) // browsers] for place in range(browsers)]
        urls = [f"{web}/t/{slug}/calls/{talk.call_id}/" for talk in watched]
        async with Pages(web, cookie, urls) as pages:
            await talker.talk(words, a_second=WORDS_A_SECOND)
            await asyncio.sleep(1.0)  # the last words are on their way
            noted = [await page.evaluate("window.noted") for page in pages]
        await talker.close()
    found: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for talk, notes in zip(watched, noted, strict=True):
        for stage, values in waits(talk, notes).items():
            found[stage] += values[WARM_WORDS:]
    return found


class Pages:
    """Pages that watch, once each has its feed."""

    def __init__(self, web: str, cookie: str, urls: list[str]) -> None:
        self._web, self._cookie, self._urls = web, cookie, urls

    async def __aenter__(self) -> list[Any]:
        from playwright.async_api import async_playwright

        from tests.e2e.chromium import launch

        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        self._playwright = await async_playwright().start()
        self._browser = await launch(self._playwright)
        return [await self._window(url) for url in self._urls]

    async def _window(self, url: str) -> Any:
        """A window of its own: Chromium lets the timers of a window's other tabs wait."""
        context = await self._browser.new_context(viewport=SCREEN)
        cookie = {"name": "pbxai_session", "value": self._cookie, "url": self._web}
        await context.add_cookies([cookie])  # type: ignore[list-item]
        await context.add_init_script(f"({NOTE_WORDS})()")
        page = await context.new_page()
        await page.goto(url)
        await page.wait_for_selector('html[data-feed="open"]', timeout=60_000)
        return page

    async def __aexit__(self, *_error: object) -> None:
        await self._browser.close()
        await self._playwright.stop()
