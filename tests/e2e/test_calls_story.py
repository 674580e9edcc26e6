"""A call is found by what was said in it, heard at its word, tagged, and taken away."""

from __future__ import annotations

import json

from playwright.async_api import Browser, Page, expect

from tenants.models import Call, Recording, SearchDocument
from tests.e2e.people import signed_in, was_held_up
from tests.e2e.test_recording import recorded_call, stored, until_it_stands
from tests.e2e.world import House, World, eventually

CALLS = 5
LOUD_PIXELS = """() => {
  const canvas = document.querySelector("canvas.player-wave");
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const lanes = [0, 0];
  for (let at = 3; at < data.length; at += 4) {
    if (data[at]) lanes[Math.floor(at / 4 / width) < height / 2 ? 0 : 1] += 1;
  }
  return { lanes, width, height };
}"""


async def test_a_call_is_found_by_its_words_heard_at_them_and_taken_away(
    world: World, chromium: Browser
) -> None:
    house, call = await understood_call(world)
    kept = await stored(call)
    await eventually(
        lambda: SearchDocument.all_tenants.filter(call=call, body__contains=" hours ").first(),
        why="the words of the call in the index",
    )
    await eventually(
        lambda: len(bytes(Recording.all_tenants.get(pk=kept.pk).peaks)) == 2000,
        why="the waveform of the recording",
    )
    page = await signed_in(chromium, house, path="calls/")
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))

    await narrow(page)
    await page.goto(f"{house.stack.web}/t/{house.tenant.slug}/search/?q=opening+hou")
    await expect(page.locator(".hit mark").first).to_have_text("opening")
    await page.locator(".hit").click()
    said = page.locator(".entry[data-found]")
    await expect(said).to_be_visible()
    await expect(said).to_contain_text("opening hours")

    await page.wait_for_selector(".player-track[data-drawn]")
    drawn = await page.evaluate(LOUD_PIXELS)
    # A silent lane has bars of one pixel with gaps: 3/4 of the width. Both have spoken.
    assert min(drawn["lanes"]) > drawn["width"], drawn

    question = next(entry for entry in world.entries(call) if entry.speaker == "caller")
    asked_at = (question.offset_ms - kept.offset_ms) / 1000
    await page.evaluate("document.querySelector('audio').playbackRate = 0.2")
    entry = page.locator('#transcript [data-speaker="caller"]').first
    # The middle of the sentence is about the middle of its sound.
    await entry.locator("[data-text]").dblclick()
    length = question.duration_ms / 1000
    await until_it_stands(page, lambda at: asked_at + length * 0.2 < at < asked_at + length + 2)
    await expect(entry).to_have_attribute("aria-current", "true")

    await mark(page)
    assert await page.evaluate("!document.querySelector('audio').paused"), "it plays on"
    bar = page.get_by_role("slider", name="Place in the recording")
    await bar.focus()
    await page.keyboard.press("Space")
    assert await page.evaluate("document.querySelector('audio').paused")

    async with page.expect_download() as download:
        await page.get_by_role("link", name="JSON").click()
    found = json.loads((await (await download.value).path()).read_text())
    assert found["id"] == str(call.public_id)
    assert found["tags"] == ["opening hours"]
    assert [note["text"] for note in found["notes"]] == ["Wants to come on Saturday."]
    assert question.text in [entry["text"] for entry in found["transcript"]]
    assert problems == []


async def understood_call(world: World) -> tuple[House, Call]:
    """A recorded call in which the provider understood the question."""
    for _call in range(CALLS):
        house = world.house(record=True)
        call, phone = await recorded_call(house)
        said = [entry.text for entry in world.entries(call) if entry.speaker == "caller"]
        if "opening hours" in " ".join(said).lower():
            return house, call
        assert was_held_up(phone, call), said
    raise AssertionError(f"not understood in {CALLS} calls")


async def narrow(page: Page) -> None:
    """By words, and by a tool that the agent did not use."""
    await page.get_by_label("Words that were said").fill("opening hours")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("tr[data-call]")).to_have_count(1)
    await expect(page.locator("tr[data-call] mark").first).to_have_text("opening")
    await page.get_by_text("More filters").click()
    await page.get_by_label("Tool used").select_option("transfer_call")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_text("No call matches")).to_be_visible()
    await page.get_by_role("link", name="Show all").click()
    await expect(page.locator("tr[data-call]")).to_have_count(1)


async def mark(page: Page) -> None:
    """A tag and a note; the page stays where it is."""
    await page.get_by_label("New tag").fill("opening hours")
    await page.get_by_role("button", name="Add tag").click()
    await expect(page.locator(".tag")).to_contain_text("opening hours")
    await page.get_by_label("New note").fill("Wants to come on Saturday.")
    await page.get_by_role("button", name="Save note").click()
    await expect(page.locator(".note-text")).to_have_text("Wants to come on Saturday.")
