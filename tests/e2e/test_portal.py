"""What a tenant does in the portal, with effect on real calls and real providers."""

from __future__ import annotations

import numpy as np
from playwright.async_api import Browser, expect

from media_worker.audio import g711
from tests.e2e.people import signed_in, spoken
from tests.e2e.world import World
from tests.support.raw_phone import RawPhone

SECRET = "sandbox-a-new-key-of-mine"


async def test_a_key_is_stored_write_only_and_checked_in_plain_words(
    world: World, chromium: Browser
) -> None:
    house = world.house(key="a-key-that-is-wrong")
    path = f"settings/accounts/{house.account.public_id}/"
    page = await signed_in(chromium, house, path=path)
    await page.get_by_role("button", name="Check this key").click()
    await expect(page.get_by_text("refused the key").first).to_be_visible()

    await page.get_by_label("key", exact=False).last.fill(SECRET)
    await page.get_by_role("button", name="Save account").click()
    await page.goto(f"{house.stack.web}/t/{house.tenant.slug}/{path}")
    shown = await page.content()
    assert SECRET not in shown
    assert SECRET[-4:] in shown
    await page.get_by_role("button", name="Check this key").click()
    await expect(page.get_by_text("A session with").first).to_be_visible()


async def test_a_call_is_ended_from_its_page(world: World, chromium: Browser) -> None:
    house = world.house()
    page = await signed_in(chromium, house)
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        call = await house.call()
        await page.goto(f"{house.stack.web}/t/{house.tenant.slug}/calls/{call.public_id}/")
        await page.get_by_role("button", name="End call").click()
        await page.get_by_role("dialog").get_by_role("button", name="End call").click()
        await phone.request("BYE")
        await expect(page.locator("#call-state")).to_have_attribute("data-state", "ended")
    assert (await house.ended_call()).end_cause == "operator_hung_up"


async def test_a_german_number_is_greeted_in_german(world: World) -> None:
    german = "Guten Tag, hier ist die Praxis."
    house = world.house()
    house.agent.greetings = {"en": "Good morning, this is the clinic.", "de": german}
    house.agent.save()
    house.publish("german")
    house.number.language = "de"
    house.number.save()
    expected = loudness(spoken(german, "de"))
    async with RawPhone(("127.0.0.1", house.stack.sip_port)) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        await phone.silence()
        first, last = phone.loud()[0].at, phone.loud()[-1].at
        greeting = b"".join(
            packet.payload for packet in phone.packets if first <= packet.at <= last
        )
        await phone.hang_up()
    call = await house.ended_call()
    assert (call.language, world.entries(call)[0].text) == ("de", german)
    heard = loudness(g711.decode_mu_law(greeting))
    length = min(len(expected), len(heard))
    assert np.corrcoef(expected[:length], heard[:length])[0, 1] > 0.8, "the same words were spoken"


def loudness(pcm: bytes) -> np.ndarray:
    """Mean amplitude of each 20 ms, from the first loud one on."""
    samples = np.abs(np.frombuffer(pcm, dtype="<i2").astype(float))
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160).mean(axis=1)
    return frames[int(np.argmax(frames > 300)) :]
