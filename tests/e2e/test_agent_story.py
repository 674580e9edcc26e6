"""An agent's life in Chromium: change, compare, publish, roll back, chat, and two who edit."""

from __future__ import annotations

from playwright.async_api import Browser, Page, expect

from tenants.services.publishing import save_draft
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
    await write_prompt(page, "You are the reception of {{ tenant }}.\nBe very brief.")
    await expect(page.locator(".prompt-marks mark")).to_have_text("{{ tenant }}")
    await expect(page.locator("#prompt-preview mark")).to_have_text(house.tenant.name)
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


async def ask(page: Page, words: str, *, after: int) -> str:
    """Write in the chat once the agent has said so many things; what it answers."""
    answers = page.locator('#transcript [data-speaker="agent"][data-final="true"]')
    await expect(answers).to_have_count(after)
    await page.get_by_label("Your words").fill(words)
    await page.get_by_label("Your words").press("Enter")
    await expect(answers).to_have_count(after + 1)
    return await answers.last.inner_text()


async def test_the_draft_and_what_is_published_answer_in_writing(
    world: World, chromium: Browser
) -> None:
    house = world.house()
    house.agent.instructions = "You are the reception of a clinic, open from ten to six."
    save_draft(agent=house.agent, user=house.owner)
    page = await signed_in(chromium, house, path=f"agents/{house.agent.public_id}/try/")
    await page.get_by_role("button", name="Start a chat").click()
    assert "from ten to six" in await ask(page, "What are your opening hours?", after=1)
    await expect(page.get_by_role("button", name="Talk to this agent")).to_be_disabled()
    await ask(page, "Thank you, goodbye!", after=2)
    await expect(page.get_by_text("The chat is over.")).to_be_visible()
    draft = await house.ended_call()
    assert (draft.kind, draft.draft_version, draft.end_cause) == ("chat", 2, "agent_hung_up")

    await page.get_by_label("Revision 1").check()
    await page.get_by_role("button", name="Start a chat").click()
    assert "from nine to five" in await ask(page, "What are your opening hours?", after=1)
    # Who leaves the page ends the chat.
    await page.get_by_role("link", name="Open the record of this conversation").click()
    record = page.locator('#transcript [data-speaker="caller"]')
    await expect(record).to_contain_text("What are your opening hours?")
    published = await house.ended_call()
    assert (published.revision, published.placed_by) == (house.agent.published, house.owner)
    assert published.end_cause == "operator_hung_up"
