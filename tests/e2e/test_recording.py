"""A recorded call, from the telephone to the browser that plays it beside its transcript."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from playwright.async_api import Browser, Page, expect

from tenants.models import AuditEntry, Call, Recording
from tests.e2e.people import signed_in, spoken
from tests.e2e.world import House, World, eventually
from tests.support.raw_phone import RawPhone
from tests.support.sound import decode
from tests.support.tries import best_of

RATE = 8000
FRAME = RATE // 50
LOUD = 300
"""Mean amplitude of 20 ms that somebody would hear, as the raw phone has it."""
QUESTION = spoken("what are your opening hours")
ALIGNED_MS = 60


def speeches(side: np.ndarray, pause_ms: int = 80) -> list[tuple[int, int]]:
    """Where somebody speaks on one side of a recording: (from, to) in ms, pauses joined."""
    frames = np.abs(side[: len(side) // FRAME * FRAME].astype(float)).reshape(-1, FRAME)
    found: list[tuple[int, int]] = []
    for at in np.flatnonzero(frames.mean(axis=1) > LOUD) * 20:
        if found and at - found[-1][1] < pause_ms:
            found[-1] = (found[-1][0], int(at) + 20)
        else:
            found.append((int(at), int(at) + 20))
    return found


async def recorded_call(house: House, page: Page | None = None) -> tuple[Call, RawPhone]:
    """Greeting, question, answer; the caller hangs up."""
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        greeted = await phone.silence()
        if page is not None:
            call = await house.call()
            await page.goto(f"{house.stack.web}/t/{house.tenant.slug}/calls/{call.public_id}/")
            await expect(page.get_by_text("This call is being recorded.")).to_be_visible()
        phone.say(QUESTION)
        await phone.speech(since=greeted, packets=25)
        await phone.silence()
        await phone.hang_up()
    return await house.ended_call(), phone


async def stored(call: Call) -> Recording:
    return await eventually(
        lambda: Recording.all_tenants.filter(call=call).exclude(file="").first(),
        why="the recording of the call",
    )


async def until_it_stands(page: Page, where: Callable[[float], bool]) -> None:
    """Wait until the player's place, in seconds, is right."""
    deadline = time.monotonic() + 60
    at = -1.0
    while time.monotonic() < deadline:
        at = await page.evaluate("document.querySelector('audio').currentTime")
        if where(at):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"it stands at {at} s")


@dataclass
class Step:
    """Milliseconds by which a recording is out of step: with the call's length; with the entry of
    the transcript that is farthest off; with the phone."""

    length_ms: float
    entry_ms: float
    phone_ms: float

    @property
    def is_kept(self) -> bool:
        return (
            abs(self.length_ms) < 200 and self.entry_ms <= ALIGNED_MS and 0 <= self.phone_ms < 400
        )


async def test_both_sides_are_kept_in_step_with_each_other_and_with_the_transcript(
    world: World,
) -> None:
    house = world.house(record=True)
    step = await best_of(lambda: step_of_a_call(world, house), lambda step: step.is_kept)
    assert step.is_kept, step


async def step_of_a_call(world: World, house: House) -> Step:
    call, phone = await recorded_call(house)
    kept = await stored(call)
    data = (house.stack.data / kept.file.name).read_bytes()
    assert len(data) == kept.size
    sound = decode(data)
    assert abs(len(sound) * 1000 / RATE - kept.duration_ms) <= 20

    entries = world.entries(call)
    assert [entry.speaker for entry in entries] == ["agent", "agent", "caller", "agent"]
    assert entries[0].text == "This call is recorded."
    left, right = speeches(sound[:, 0]), speeches(sound[:, 1])
    # By the phone's own clock: from its first sound of the agent to its own first sound. Here the
    # one is earlier and the other later by the way between us, with the jitter buffers of both.
    waited_ms = (phone.said_at[0] - phone.loud()[0].at) * 1000
    # Neither hears the other: an echo would be in both.
    agent_speaks = slice(right[-1][0] * 8, right[-1][1] * 8)
    assert np.abs(sound[agent_speaks, 0]).max() < LOUD
    return Step(
        length_ms=kept.duration_ms + kept.offset_ms - call.duration_ms,
        entry_ms=max(
            min(
                abs(begin - (entry.offset_ms - kept.offset_ms))
                for begin, _ in (left if entry.speaker == "caller" else right)
            )
            for entry in entries
        ),
        phone_ms=left[0][0] - right[0][0] - waited_ms,
    )


async def test_the_browser_plays_it_beside_the_transcript_until_it_is_deleted(
    world: World, chromium: Browser
) -> None:
    house = world.house(record=True)
    page = await signed_in(chromium, house)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    call, _ = await recorded_call(house, page)
    kept = await stored(call)
    # The page was opened while the call ran; nobody loads it again.
    play = page.get_by_role("button", name="Play the recording")
    await expect(play).to_be_visible()
    entries = page.locator("#transcript > [data-entry]")
    await expect(entries).to_have_count(4)

    await play.focus()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Pause the recording")).to_be_visible()
    # Slowly, so that what is looked at is still there on a busy machine.
    await page.evaluate("document.querySelector('audio').playbackRate = 0.2")
    await until_it_stands(page, lambda at: at > 0.5)
    await expect(entries.nth(0)).to_have_attribute("aria-current", "true")
    await expect(entries.nth(2)).not_to_have_attribute("aria-current", "true")

    question = world.entries(call)[2]
    asked = entries.nth(2).get_by_role("button", name="Play from")
    await asked.focus()
    await page.keyboard.press("Enter")
    asked_at = (question.offset_ms - kept.offset_ms) / 1000
    await until_it_stands(page, lambda at: asked_at <= at < asked_at + 3)
    await expect(entries.nth(2)).to_have_attribute("aria-current", "true")
    await expect(entries.nth(0)).not_to_have_attribute("aria-current", "true")

    await page.get_by_role("button", name="Pause the recording").click()
    bar = page.get_by_role("slider", name="Place in the recording")
    stands = await page.evaluate("document.querySelector('audio').currentTime")
    await bar.focus()
    await page.keyboard.press("ArrowLeft")
    await until_it_stands(page, lambda at: abs(at - max(0.0, stands - 5)) < 0.2)
    lasts = await page.evaluate("document.querySelector('audio').duration")
    assert abs(lasts * 1000 - kept.duration_ms) <= 20
    assert problems == []
    await delete_while_another_listens(page, house, kept, problems)


async def delete_while_another_listens(
    page: Page, house: House, kept: Recording, problems: list[str]
) -> None:
    async with page.expect_popup() as opened:
        await page.evaluate("void window.open(location.href)")
    other = await opened.value
    other.on("console", lambda message: problems.append(message.text))
    await other.get_by_role("button", name="Play the recording").click()
    audio = await other.evaluate_handle("document.querySelector('audio')")
    await download_and_delete(page, house, kept)
    await expect(other.locator("#call-recording")).to_have_attribute("data-state", "deleted")
    assert await audio.evaluate("audio => audio.paused && !audio.hasAttribute('src')")
    assert await other.locator("#transcript button.entry-at").count() == 0
    assert problems == [], "nobody asked for a piece of what is gone"


async def download_and_delete(page: Page, house: House, kept: Recording) -> None:
    file = house.stack.data / kept.file.name
    data = file.read_bytes()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    found = await download.value
    assert found.suggested_filename.startswith("call-20")
    assert (await found.path()).read_bytes() == data
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete recording").click()
    await expect(page.locator("#call-recording")).to_have_attribute("data-state", "deleted")
    assert not file.exists()
    assert AuditEntry.all_tenants.get(tenant=house.tenant, action="recording.delete")
