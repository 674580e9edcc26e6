"""Trying an agent from its page: Chromium speaks with a WAV as its microphone, over real WebRTC."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from media_worker import speech
from tenants.models import Call, CallEvent
from tests.e2e.chromium import BROWSER_MS, CHROMIUM_ARGUMENTS
from tests.e2e.people import signed_in, slow_line
from tests.e2e.world import House, World, eventually

GREETING = "Hello, you have reached the clinic. How can I help you?"
ASKED = "Please connect me to the sales department."
MICROPHONE_RATE = 48000
BEFORE_SECONDS, AFTER_SECONDS = 8, 30
"""Of silence around the words: the agent greets first, and answers then. Chromium plays it again
and again."""
AUDIBLE = 0.01
"""RMS of full scale; a spoken word has ten times as much, silence none."""

PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
LOUDEST_WITHIN = """async ([bar, milliseconds]) => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(document.getElementById("talk-sound").srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const until = performance.now() + milliseconds;
  let loudest = 0;
  while (loudest < bar && performance.now() < until) {
    await new Promise((done) => setTimeout(done, 20));
    analyser.getFloatTimeDomainData(samples);
    const sum = samples.reduce((whole, sample) => whole + sample * sample, 0);
    loudest = Math.max(loudest, Math.sqrt(sum / samples.length));
  }
  await context.close();
  return loudest;
}"""


@pytest.fixture
def asked(request: pytest.FixtureRequest) -> str:
    """What the person says; nothing where a test does not say otherwise."""
    return str(getattr(request, "param", ""))


@pytest.fixture
def microphone(tmp_path: Path, asked: str) -> Path:
    """A WAV of a caller who waits for the greeting, asks, and listens."""
    pcm = speech.render(asked, "en", MICROPHONE_RATE) if asked else b""
    words = np.frombuffer(pcm, "<i2")
    before, after = (
        np.zeros(seconds * MICROPHONE_RATE, "<i2") for seconds in (BEFORE_SECONDS, AFTER_SECONDS)
    )
    path = tmp_path / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MICROPHONE_RATE)
        file.writeframes(np.concatenate([before, words, after]).tobytes())
    return path


@pytest.fixture
async def speaking(microphone: Path) -> AsyncIterator[Browser]:
    """Chromium that lends this microphone without asking anybody."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[
                *CHROMIUM_ARGUMENTS,
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={microphone}",
                "--allow-loopback-in-peer-connection",
            ],
        )
        yield browser
        await browser.close()


async def heard(page: Page) -> float:
    """RMS of the loudest moment that came from the agent until it was audible, or a minute."""
    return float(await page.evaluate(LOUDEST_WITHIN, [AUDIBLE, BROWSER_MS]))


async def begin(page: Page) -> None:
    """Talk, once the page is painted: Chromium drops what is pressed where nothing is seen yet."""
    await page.evaluate(PAINTED)
    await page.get_by_role("button", name="Talk to this agent").click()
    await expect(page.get_by_text("You are talking.")).to_be_visible()


def path_of(house: House) -> str:
    return f"agents/{house.agent.public_id}/try/"


@pytest.mark.parametrize("asked", [ASKED], indirect=True)
async def test_a_person_talks_to_a_draft_and_hears_the_answer(
    world: World, speaking: Browser
) -> None:
    house = world.house(greeting=GREETING)
    page = await signed_in(speaking, house, path=path_of(house))
    await begin(page)
    assert await heard(page) >= AUDIBLE, "the greeting arrives in the browser"

    said = page.locator('#transcript [data-speaker="caller"][data-final="true"]')
    await expect(said.first).to_contain_text("department", ignore_case=True)
    answer = page.locator('#transcript [data-speaker="agent"]').nth(1)
    await expect(answer).to_be_visible()
    assert await heard(page) >= AUDIBLE, "the answer arrives in the browser"

    call = await eventually(lambda: Call.all_tenants.filter(tenant=house.tenant).first())
    assert (call.kind, call.placed_by, call.state) == ("browser", house.owner, "running")
    assert (call.draft_version, call.revision) == (house.agent.draft_version, None)
    await page.get_by_role("button", name="5", exact=True).click()
    await eventually(
        lambda: CallEvent.all_tenants.filter(call=call, kind="dtmf", text="5").first(),
        why="the key in the call's log",
    )
    await page.get_by_role("button", name="Hang up").click()
    await expect(page.get_by_role("button", name="Talk to this agent")).to_be_enabled()
    ended = await house.ended_call()
    assert ended.end_cause in {"caller_hung_up", "operator_hung_up"}
    assert ended.duration_ms > 3000


async def test_a_call_ends_on_the_other_side_and_the_next_with_its_page(
    world: World, speaking: Browser
) -> None:
    house = world.house(greeting=GREETING)
    page = await signed_in(speaking, house)
    # The button is seen, and pressed, before the page's modules are there.
    pressed = await slow_line(page, "**/js/talk.js")
    address = f"{house.stack.web}/t/{house.tenant.slug}/{path_of(house)}"
    await page.goto(address, wait_until="commit")
    await page.evaluate(PAINTED)
    await page.get_by_role("button", name="Talk to this agent").click()
    pressed.set()
    await expect(page.get_by_text("You are talking.")).to_be_visible()
    record = page.get_by_role("link", name="Open the record of this conversation")
    other = await signed_in(speaking, house)
    await other.goto(f"{house.stack.web}{await record.get_attribute('href')}")
    await other.get_by_role("button", name="End call").click()
    await other.get_by_role("dialog").get_by_role("button", name="End call").click()
    await expect(page.get_by_text("The call is over.")).to_be_visible()
    await expect(page.get_by_role("button", name="Talk to this agent")).to_be_enabled()
    first = await house.ended_call()
    assert first.end_cause == "operator_hung_up"

    await begin(page)
    await eventually(lambda: Call.all_tenants.filter(tenant=house.tenant, pk__gt=first.pk).first())
    await page.close()
    assert (await house.ended_call()).end_cause in {"caller_hung_up", "operator_hung_up"}
