"""The first day: from the operator's sign-in to the owner's first answered call and what it cost.

Nobody reads a manual: each person goes where the pages lead. Clicks and pages are counted.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from media_worker.sip.phone_process import PhoneProcess
from tenants.models import PlatformSettings
from tenants.services.effective import platform_settings
from tests.e2e.chromium import BROWSER_MS
from tests.e2e.people import spoken
from tests.e2e.stack import RunningStack
from tests.e2e.world import PASSWORD, World

FIVE_MINUTES: Final = 300
OPERATORS_CLICKS: Final = 4
OWNERS_CLICKS: Final = 12
"""To the answered call, from the letter on."""
OWNERS_PAGES: Final = 20


class Person:
    """Somebody at a browser of their own, whose clicks and pages are counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        self.pages = 0
        page.set_default_timeout(BROWSER_MS)
        page.on("framenavigated", self._count)

    @classmethod
    async def sits_down(cls, chromium: Browser) -> Person:
        return cls(await (await chromium.new_context(locale="en-GB")).new_page())

    def _count(self, frame: Any) -> None:
        self.pages += frame == self.page.main_frame

    async def click(self, what: Locator) -> None:
        self.clicks += 1
        await what.click()

    async def press(self, name: str) -> None:
        await self.click(self.page.get_by_role("button", name=name, exact=True))

    async def follow(self, name: str) -> None:
        """A link of the page itself."""
        await self.click(self.page.locator("main").get_by_role("link", name=name, exact=True))

    async def turn_to(self, name: str) -> None:
        """An entry of the rail."""
        rail = self.page.get_by_role("navigation", name="Main")
        await self.click(rail.get_by_role("link", name=name, exact=True))

    async def fill(self, **fields: str) -> None:
        """By label; an underscore stands for a space."""
        for label, value in fields.items():
            await self.page.get_by_label(label.replace("_", " "), exact=True).fill(value)


def link_in_letter(folder: Path, to: str) -> str:
    """The invitation that the letter to this address holds."""
    [letter] = [path for path in folder.iterdir() if to in path.read_text(errors="replace")]
    message = message_from_bytes(letter.read_bytes().rpartition(b"\n" + b"-" * 79)[0])
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    found = re.search(r"http\S+/invitations/\S+", body.decode())
    assert found is not None, body
    return found[0]


async def add_tenant(operator: Person, stack: RunningStack, name: str, owner_email: str) -> None:
    await operator.page.goto(f"{stack.web}/accounts/login/")
    email, password = stack.sign_in("Console")
    await operator.page.get_by_label("E-mail").fill(email)
    await operator.fill(Password=password)
    await operator.press("Sign in")
    await operator.turn_to("Tenants")
    await operator.follow("Add tenant")
    await operator.fill(Name=name)
    await operator.page.get_by_label("The owner's e-mail address").fill(owner_email)
    await operator.press("Add and invite")
    await expect(operator.page.get_by_role("heading", name=name)).to_be_visible()


async def join(owner: Person, link: str) -> None:
    await owner.page.goto(link)
    await owner.fill(Your_name="Dora Day", A_password=PASSWORD)
    await owner.press("Accept and sign in")
    await expect(owner.page.get_by_text("First steps")).to_be_visible()


async def store_key(owner: Person, url: str) -> None:
    await owner.follow("Add account")
    await owner.fill(Name="Main account", Address=url, Key="sandbox-of-the-first-day")
    await owner.press("Save account")
    await expect(owner.page.get_by_text("The key works")).to_be_visible()
    await owner.turn_to("Start")


async def make_agent(owner: Person) -> None:
    await owner.follow("New agent")
    await owner.fill(Name="Reception", Prompt="You are the reception of a practice. Be brief.")
    await owner.press("Create agent")
    await owner.press("Publish…")
    await owner.press("Publish revision 1")


async def add_number(owner: Person, number: str) -> str:
    """What a telephone dials."""
    await owner.follow("Add number")
    await owner.fill(Number=number)
    await owner.press("Save number")
    address = owner.page.locator("code", has_text=f"sip:{number}@").first
    return await address.inner_text()


@pytest.fixture
def bare(world: World) -> Iterator[World]:
    """A product without the demo's account that everybody may use: a customer brings a key."""
    kept = platform_settings().provider_account
    PlatformSettings.objects.update(provider_account=None)
    yield world
    PlatformSettings.objects.update(provider_account=kept)


async def test_from_the_invitation_to_the_first_answered_call(
    bare: World, chromium: Browser
) -> None:
    stack, serial, began = bare.stack, uuid.uuid4().hex[:8], time.monotonic()
    name, email = f"Dr. Day {serial}", f"dora-{serial}@day.example"
    operator, owner = [await Person.sits_down(chromium) for _person in range(2)]
    await add_tenant(operator, stack, name, email)
    await join(owner, link_in_letter(stack.data / "mail", email))
    await store_key(owner, bare.sandbox_url())
    await make_agent(owner)
    dialled = await add_number(owner, f"9{serial}")
    await owner.turn_to("Start")
    await expect(owner.page.get_by_text(dialled)).to_be_visible()

    page = owner.page
    async with PhoneProcess() as phone:
        call = await phone.call(dialled)
        await call.answered()
        await owner.click(page.locator("#live-calls a").first)
        said = page.locator('#transcript [data-speaker="agent"]')
        await expect(said.first).to_contain_text("How can I help you?")
        seconds = time.monotonic() - began
        clicks = (operator.clicks, owner.clicks)
        await call.wait_for_speech(since=0.0)
        await call.wait_for_silence()
        _, asked_at = await call.play(spoken("what are your opening hours"))
        await call.wait_for_speech(seconds=60, since=asked_at)
        caller = page.locator('#transcript [data-speaker="caller"][data-final="true"]')
        await expect(caller.first).to_contain_text("opening hours")
        await call.hang_up()
    await expect(page.locator("#call-state")).to_have_attribute("data-state", "ended")
    cost = page.locator("#call-cost .cost-total")
    await expect(cost).to_contain_text("USD")

    spent = (await cost.inner_text()).strip()
    await owner.turn_to("Usage")
    await expect(page.locator("#usage-spend")).to_contain_text(spent)
    await expect(page.locator("#usage-calls .stat-value")).to_have_text("1")
    await owner.turn_to("Calls")
    await expect(page.get_by_role("row").filter(has_text="Reception")).to_have_count(1)
    await owner.turn_to("Start")
    await expect(page.get_by_text("First steps")).to_have_count(0)

    assert clicks == (OPERATORS_CLICKS, OWNERS_CLICKS)
    assert owner.pages <= OWNERS_PAGES
    assert seconds < FIVE_MINUTES
    await operator.page.context.close()
    await page.context.close()
