"""The main job: a call is answered, understood, transferred, and seen while it happens."""

from __future__ import annotations

import re

from playwright.async_api import Browser, Page, expect

from media_worker.sip.phone_process import PhoneProcess
from tests.e2e.people import signed_in, spoken
from tests.e2e.world import House, World, eventually
from tests.support.ports import free_port

GREETING = "Hello, you have reached the clinic. How can I help you?"
REQUEST = "please connect me to the sales department"

WATCH_THE_TRANSCRIPT_GROW = """() => {
  window.growth = [];
  const note = () => {
    const said = [...document.querySelectorAll('#transcript [data-speaker="agent"]')];
    const length = said.reduce((sum, entry) => sum + entry.innerText.length, 0);
    if (length !== window.growth.at(-1)) window.growth.push(length);
  };
  note();
  new MutationObserver(note).observe(document.querySelector('#transcript'),
    {childList: true, subtree: true, characterData: true});
}"""


def sales_targets(port: int) -> list[dict[str, str]]:
    return [
        {
            "name": "sales",
            "uri": f"sip:sales@127.0.0.1:{port}",
            "description": "the sales department",
        }
    ]


async def open_live_call(page: Page, house: House) -> None:
    """From the wall of running calls, where the call has appeared by itself, to its page."""
    call = await house.call()
    row = page.locator(f'[data-call="{call.public_id}"]')
    await expect(row).to_be_visible()
    await page.goto(f"{house.stack.web}/t/{house.tenant.slug}/calls/{call.public_id}/")


async def test_a_caller_who_asks_for_sales_is_heard_answered_transferred_and_seen(
    world: World, chromium: Browser
) -> None:
    desk_port = free_port()
    house = world.house(greeting=GREETING, transfer_targets=sales_targets(desk_port))
    page = await signed_in(chromium, house, path="live/")
    async with PhoneProcess(port=desk_port) as desk, PhoneProcess() as phone:
        call = await phone.call(house.uri)
        assert await call.answered() == "PCMU/8000"
        await open_live_call(page, house)
        await page.evaluate(WATCH_THE_TRANSCRIPT_GROW)
        await call.wait_for_speech(since=0.0)
        await call.wait_for_silence()
        greeting = await call.heard()
        assert greeting.speech_ms > 1500, "the greeting is in the RTP"

        _, asked_at = await call.play(spoken(REQUEST))
        answered_at = await call.wait_for_speech(seconds=60, since=asked_at)
        assert answered_at > asked_at
        at_desk = await desk.incoming(seconds=60)
        assert at_desk.number
        await phone.event("transfer_requested", seconds=60, call=call.number)
        await call.ended(seconds=60)

    record = await house.ended_call()
    assert record.end_cause == "transferred"
    assert record.agent == house.agent
    assert record.revision.number == 1
    assert record.duration_ms > 3000
    entries = [(entry.speaker, entry.text) for entry in world.entries(record)]
    assert entries[0] == ("agent", GREETING)
    assert entries[1][0] == "caller"
    assert "sales department" in entries[1][1].lower()
    assert entries[2][0] == "agent"
    assert entries[2][1]
    [transfer] = world.tools(record)
    assert (transfer.name, transfer.arguments) == ("transfer_call", {"target": "sales"})
    assert transfer.state == "succeeded"
    assert transfer.result

    state = page.locator("#call-state")
    await expect(state).to_have_attribute("data-state", "ended")
    caller = page.locator('#transcript [data-speaker="caller"][data-final="true"]')
    await expect(caller).to_contain_text("sales department")
    tool = page.locator('#transcript [data-tool="transfer_call"]')
    await expect(tool).to_have_attribute("data-state", "succeeded")
    growth = await page.evaluate("window.growth")
    assert growth == sorted(growth), "the agent's words only ever grew"
    assert len(growth) > 3, "they grew while they were spoken"


async def test_the_transcript_is_in_order_and_both_sides_are_there_after_a_reload(
    world: World, chromium: Browser
) -> None:
    house = world.house()
    page = await signed_in(chromium, house, path="live/")
    async with PhoneProcess() as phone:
        call = await phone.call(house.uri)
        await call.answered()
        await open_live_call(page, house)
        await call.wait_for_speech(since=0.0)
        await call.wait_for_silence()
        for question in ("what are your opening hours", "thank you"):
            _, asked_at = await call.play(spoken(question))
            await call.wait_for_speech(seconds=60, since=asked_at)
            await call.wait_for_silence()
        await call.hang_up()
    record = await house.ended_call()
    assert record.end_cause == "caller_hung_up"
    speakers = [entry.speaker for entry in world.entries(record)]
    assert speakers[:5] == ["agent", "caller", "agent", "caller", "agent"]
    assert all(entry.final for entry in world.entries(record))

    sound = page.locator("#call-sound")
    await expect(sound.locator("[data-state]")).to_have_attribute(
        "data-state", re.compile("good|fair|poor")
    )
    await expect(sound).to_contain_text("MOS")
    await expect(sound.get_by_text("Not sent to the provider")).to_be_visible()
    answers = page.locator("#turns [data-turn] svg[role=img]")
    assert await answers.count() >= 3, "the greeting and two answers"
    assert record.quality.packets_received > 100

    shown = page.locator("#transcript [data-entry]")
    await expect(shown).to_have_count(len(speakers))
    live = await shown.evaluate_all("all => all.map(entry => entry.dataset.speaker)")
    await page.reload()
    again = await shown.evaluate_all("all => all.map(entry => entry.dataset.speaker)")
    assert live == again == speakers


async def test_an_agent_hangs_up_after_its_last_sentence(world: World) -> None:
    house = world.house()
    async with PhoneProcess() as phone:
        call = await phone.call(house.uri)
        await call.answered()
        await call.wait_for_speech(since=0.0)
        await call.wait_for_silence()
        _, asked_at = await call.play(spoken("goodbye"))
        await call.wait_for_speech(seconds=60, since=asked_at)
        await call.ended(seconds=60)
        farewell = await call.heard(since=asked_at)
    record = await house.ended_call()
    assert record.end_cause == "agent_hung_up"
    last = world.entries(record)[-1]
    assert (last.speaker, last.cut_text) == ("agent", "")
    assert farewell.speech_ms > 300, "the last sentence was heard before the BYE"


async def test_a_transfer_that_fails_is_told_to_the_caller_and_the_call_goes_on(
    world: World,
) -> None:
    desk_port = free_port()
    house = world.house(transfer_targets=sales_targets(desk_port))
    async with PhoneProcess(port=desk_port, answers=486) as desk, PhoneProcess() as phone:
        call = await phone.call(house.uri)
        await call.answered()
        await call.wait_for_speech(since=0.0)
        await call.wait_for_silence()
        await call.play(spoken(REQUEST))
        record = await house.call()
        tool = await eventually(
            lambda: next((each for each in world.tools(record) if each.state == "failed"), None)
        )
        assert "486" in tool.result or "busy" in tool.result.lower()
        refused = await desk.event("incoming")
        assert await call.wait_for_speech(seconds=60, since=refused["at"])
        await call.wait_for_silence()
        await call.hang_up()
    ended = await house.ended_call()
    assert ended.end_cause == "caller_hung_up"
