"""What the people of the tests do: speak with a phone, look with a browser."""

from __future__ import annotations

import asyncio
from functools import cache

from playwright.async_api import Browser, Page, Route

from media_worker import speech
from tenants.models import Call, CallQuality
from tests.e2e.chromium import BROWSER_MS
from tests.e2e.world import PASSWORD, House
from tests.support.raw_phone import RawPhone

PHONE_RATE = 8000
LATE_MS = 20


@cache
def spoken(text: str, language: str = "en") -> bytes:
    """PCM at 8000 Hz of somebody who says this.

    Rendered before a call begins: it takes a second, in which a phone of this process is mute.
    """
    return speech.render(text, language, PHONE_RATE)


def was_held_up(phone: RawPhone, call: Call) -> bool:
    """Whether this machine held packets of the call up: then a word has a gap, which was filled
    in, and that the provider did not understand it says nothing of us."""
    heard = CallQuality.all_tenants.get(call=call)
    return max(phone.latest * 1000, heard.jitter_max_ms) > LATE_MS


async def signed_in(chromium: Browser, house: House, *, path: str = "") -> Page:
    """A page of the house's owner."""
    page = await chromium.new_page()
    page.set_default_timeout(BROWSER_MS)
    await page.goto(f"{house.stack.web}/accounts/login/")
    await page.get_by_label("E-mail").fill(house.owner.email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url(f"{house.stack.web}/t/{house.tenant.slug}/**")
    if path:
        await page.goto(f"{house.stack.web}/t/{house.tenant.slug}/{path}")
    return page


async def slow_line(page: Page, pattern: str) -> asyncio.Event:
    """What matches comes to this page only once the event is set."""
    comes = asyncio.Event()

    async def answer(route: Route) -> None:
        await comes.wait()
        await route.continue_()

    await page.route(pattern, answer)
    return comes
