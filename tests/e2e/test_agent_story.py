"""An agent's life in Chromium: change, see what changes, publish, roll back, and two who edit."""

from __future__ import annotations

from playwright.async_api import Browser, Page, expect

from tests.e2e.people import signed_in
from tests.e2e.world import House, World


async def open_editor(page: Page, house: House, tab: str = "prompt") -> None:
    where = f"{house.stack.web}/t/{house.tenant.slug}/agents/{house.agent.public_id}/"
    await page.goto(f"{where}#{tab}")
    await expect(page.get_by_role("tab").first).to_be_visible()


async def write_prompt(page: Page, words: str) -> None:
    await page.get_by_role("textbox", name="Prompt").fill(words)


async def test_change_compare_publish_and_roll_back(world: World, chromium: Browser) -> None:
    house = world.house()
    page = await signed_in(chromium, house)
    await open_editor(page, house)
    await write_prompt(page, "You are the reception of a clinic.\nBe very brief.")
    await page.get_by_role("button", name="Save draft").click()
    await expect(page.get_by_text("1 change since revision 1")).to_be_visible()

    await page.get_by_role("link", name="Compare").click()
    await expect(page.locator('[data-change="instructions"] .added').last).to_contain_text(
        "Be very brief."
    )
    await page.go_back()
    await page.get_by_role("button", name="Publish…").click()
    await expect(page.locator('[data-change="instructions"]')).to_be_visible()
    await page.get_by_label("Note").fill("shorter")
    await page.get_by_role("button", name="Publish revision 2").click()
    await expect(
        page.get_by_text("Revision 2 answers calls; the draft is the same")
    ).to_be_visible()

    await page.get_by_role("link", name="History").click()
    await page.get_by_role("link", name="Revision 1", exact=True).click()
    await page.get_by_role("button", name="Roll back to it").click()
    await page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    await expect(page.get_by_text("1 change since revision 3")).to_be_visible()
    house.agent.refresh_from_db()
    published = house.agent.published
    assert published is not None
    assert (published.number, published.instructions) == (
        3,
        "You are the reception of a clinic, open from nine to five.",
    )

    # Any two can be compared: what answers now says the same as the first one.
    await page.get_by_role("link", name="History").click()
    await page.get_by_role("link", name="Compare", exact=True).first.click()
    await page.get_by_label("Before").select_option("1")
    await page.get_by_label("After").select_option("3")
    await page.get_by_role("button", name="Compare").click()
    await expect(page.get_by_text("They say the same.")).to_be_visible()


async def test_two_people_who_edit_at_once_lose_nothing(world: World, chromium: Browser) -> None:
    house = world.house()
    mine = await signed_in(chromium, house)
    theirs = await signed_in(chromium, house)
    await open_editor(mine, house)
    await open_editor(theirs, house)
    await write_prompt(theirs, "Their words.")
    await theirs.get_by_role("button", name="Save draft").click()
    await expect(theirs.get_by_text("1 change since revision 1")).to_be_visible()
    await write_prompt(mine, "My words.")
    await mine.get_by_role("button", name="Save draft").click()
    await expect(mine.locator("#conflict")).to_contain_text("Their words.")
    await expect(mine.get_by_role("textbox", name="Prompt")).to_have_value("My words.")
    house.agent.refresh_from_db()
    assert house.agent.instructions == "Their words."
    await mine.get_by_role("button", name="Save draft").click()
    await expect(mine.locator("#conflict")).to_have_count(0)
    house.agent.refresh_from_db()
    assert house.agent.instructions == "My words."
