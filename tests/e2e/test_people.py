"""People of a tenant in Chromium: invited by a letter, held to a role, removed; one owner stays."""

from __future__ import annotations

import email
import re
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from tests.e2e.people import signed_in, slow_line
from tests.e2e.world import PASSWORD, House, World

LINK = re.compile(r"http://\S+/invitations/\S+/")


def link_in_letter(house: House, to: str) -> str:
    """The link of the letter that lies in the product's folder for this address."""
    for path in Path(house.stack.data / "mail").iterdir():
        letter = email.message_from_bytes(path.read_bytes().rpartition(b"\n" + b"-" * 79)[0])
        if letter["To"] == to:
            body = letter.get_payload(decode=True)
            assert isinstance(body, bytes)
            found = LINK.search(body.decode())
            assert found is not None, body
            return found[0]
    raise AssertionError(f"no letter to {to}")


def address(house: House, path: str) -> str:
    return f"{house.stack.web}/t/{house.tenant.slug}/{path}"


async def invite(owner: Page, house: House, who: str) -> str:
    await owner.goto(address(house, "settings/members/"))
    await owner.get_by_label("E-mail address").fill(who)
    await owner.get_by_label("Role", exact=True).select_option("viewer")
    await owner.get_by_role("button", name="Invite").click()
    link = link_in_letter(house, who)
    await expect(owner.locator("#invited")).to_contain_text(link)
    return link


async def test_an_invited_viewer_sees_changes_nothing_and_goes(
    world: World, chromium: Browser
) -> None:
    house = world.house()
    who = f"nina@{house.tenant.slug}.example"
    owner = await signed_in(chromium, house)
    link = await invite(owner, house, who)

    nina = await chromium.new_page()
    await nina.goto(link)
    await nina.get_by_label("Your name").fill("Nina New")
    await nina.get_by_label("A password").fill(PASSWORD)
    await nina.get_by_role("button", name="Accept and sign in").click()
    await nina.wait_for_url(address(house, ""))

    await nina.get_by_role("link", name="Agents").first.click()
    await expect(nina.get_by_role("link", name="New agent")).to_have_count(0)
    await nina.get_by_role("link", name="Reception").click()
    await expect(nina.get_by_text("You can read this agent.")).to_be_visible()
    await expect(nina.get_by_role("textbox", name="Prompt")).to_be_disabled()
    await expect(nina.get_by_role("button", name="Save draft")).to_have_count(0)
    await nina.goto(address(house, "settings/tokens/"))
    await expect(nina.get_by_role("heading", name="You may not do that")).to_be_visible()

    await owner.goto(address(house, "settings/members/"))
    row = owner.locator(f'[data-member="{who}"]')
    await row.get_by_label("Role of Nina New").select_option("editor")
    await row.get_by_role("button", name="Change").click()
    await expect(owner.locator("#toasts")).to_contain_text("Nina New is now: Editor.")
    await nina.goto(address(house, "agents/"))
    await expect(nina.get_by_role("link", name="New agent")).to_be_visible()

    await row.get_by_role("button", name="Remove Nina New").click()
    await owner.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(row).to_have_count(0)
    await nina.reload()
    await expect(nina.get_by_role("heading", name="There is nothing here")).to_be_visible()
    await nina.goto(link)
    await expect(nina.get_by_role("heading", level=1)).to_contain_text("does not work any more")


async def test_the_last_owner_stays(world: World, chromium: Browser) -> None:
    house = world.house()
    owner = await signed_in(chromium, house, path="settings/members/")
    row = owner.locator(f'[data-member="{house.owner.email}"]')
    await row.get_by_role("combobox").select_option("viewer")
    await row.get_by_role("button", name="Change").click()
    await expect(owner.locator("#toasts")).to_contain_text("This is the last owner.")

    # On a slow line the button is pressed before the modules are there: it is asked about still.
    pressed = await slow_line(owner, "**/js/confirm.js")
    await owner.goto(address(house, "settings/members/"), wait_until="commit")
    await row.get_by_role("button", name="Remove").click()
    pressed.set()
    await owner.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(owner.locator("#toasts")).to_contain_text("This is the last owner.")
    await expect(row.get_by_role("combobox")).to_have_value("owner")
