"""Stepping into a real call: a person at a real browser, a caller at a real phone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from playwright.async_api import Browser, Page, expect

from media_worker.sip.phone_process import PhoneProcess
from tenants.models import AuditEntry, Call, CallEvent
from tests.e2e.chromium import BROWSER_MS
from tests.e2e.people import signed_in, spoken
from tests.e2e.test_main_call import sales_targets
from tests.e2e.world import House, World, eventually
from tests.support.ports import free_port

WORDS = "Our doctor will be with you in one moment."
AUDIBLE = 0.02
"""RMS of full scale in a quarter of a second; a spoken word has more, silence none."""
NOTE_LOUDNESS: Final = """() => {
  window.ears = [];
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (...given) {
    if (this instanceof AudioWorkletNode) {
      const split = this.context.createChannelSplitter(2);
      connect.call(this, split);
      window.ears = [0, 1].map((lane) => {
        const ear = this.context.createAnalyser();
        connect.call(split, ear, lane);
        return ear;
      });
    }
    return connect.apply(this, given);
  };
}"""
"""Run before the page's own scripts: puts an ear to each lane that the page plays."""
HEARD: Final = """([lane, bar, milliseconds]) => new Promise((done) => {
  const until = performance.now() + milliseconds;
  const loudness = (ear) => {
    const samples = new Float32Array(ear.fftSize);
    ear.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  };
  const listen = () => {
    const now = window.ears.map(loudness);
    if (now[lane] >= bar || performance.now() > until) done(now);
    else setTimeout(listen, 20);
  };
  listen();
})"""
"""Loudness of both lanes at the first moment that one is audible, else at the end."""
CALLER, AGENT = 0, 1


def log_line(page: Page, kind: str, state: str = "done") -> object:
    return page.locator(f'#call-log [data-log="{kind}"][data-state="{state}"]').first


async def open_call(page: Page, house: House) -> Call:
    call = await house.call()
    await page.goto(f"{house.stack.web}/t/{house.tenant.slug}/calls/{call.public_id}/")
    return call


async def test_a_call_is_watched_spoken_into_muted_and_ended(
    world: World, chromium: Browser
) -> None:
    house = world.house()
    page, other = await signed_in(chromium, house), await signed_in(chromium, house)
    async with PhoneProcess() as phone:
        call = await phone.call(house.uri)
        await call.answered()
        record = await open_call(page, house)
        await open_call(other, house)
        await call.wait_for_speech(since=0.0)
        silent_at = await call.wait_for_silence()

        await page.get_by_label("Have the agent say").fill(WORDS)
        await page.get_by_role("button", name="Say it").click()
        await call.wait_for_speech(seconds=60, since=silent_at)
        await expect(log_line(page, "said")).to_contain_text(WORDS)
        await expect(log_line(other, "said")).to_contain_text(house.owner.name)
        for watching in (page, other):
            said = watching.locator('#transcript [data-speaker="agent"]').last
            await expect(said).to_contain_text("doctor")
        await call.wait_for_silence()

        await page.get_by_role("button", name="Mute the agent").click()
        await expect(other.locator("#call-muted")).to_have_attribute("data-muted", "true")
        _, asked_at = await call.play(spoken("what are your opening hours"))
        caller = page.locator('#transcript [data-speaker="caller"][data-final="true"]')
        await expect(caller.first).to_contain_text("opening hours")
        assert world.entries(record)[-1].speaker == "caller", "a muted agent answers nothing"
        await page.get_by_role("button", name="Let the agent speak").click()
        await expect(other.locator("#call-muted")).to_have_attribute("data-muted", "false")
        await call.wait_for_speech(seconds=60, since=asked_at)

        await page.get_by_role("button", name="End call").click()
        await page.get_by_role("dialog").get_by_role("button", name="End call").click()
        await call.ended(seconds=60)
        await expect(other.locator("#call-state")).to_have_attribute("data-state", "ended")
        await expect(page.locator("#call-actions")).to_have_count(0)
    ended = await house.ended_call()
    assert ended.end_cause == "operator_hung_up"
    states = dict(CallEvent.all_tenants.filter(call=ended).values_list("kind", "state"))
    asked = ("said", "muted", "unmuted", "hang_up_asked")
    assert {kind: states[kind] for kind in asked} == dict.fromkeys(asked, "done")
    [said] = [entry for entry in world.entries(ended) if entry.command]
    assert "doctor" in said.text


async def test_a_caller_is_connected_from_the_drawer_of_the_wall(
    world: World, chromium: Browser
) -> None:
    desk_port = free_port()
    house = world.house(transfer_targets=sales_targets(desk_port))
    page = await signed_in(chromium, house, path="live/")
    async with PhoneProcess(port=desk_port) as desk, PhoneProcess() as phone:
        call = await phone.call(house.uri)
        await call.answered()
        await call.wait_for_speech(since=0.0)
        await page.get_by_role("button", name="Step in").click()
        drawer = page.locator("#call-drawer")
        await expect(drawer.locator("#transcript")).to_contain_text("clinic")
        await drawer.get_by_role("button", name="Connect").click()
        confirm = page.locator("#confirm")
        await confirm.get_by_role("button", name="Connect").click()
        at_desk = await desk.incoming(seconds=60)
        assert at_desk.number
        await phone.event("transfer_requested", seconds=60, call=call.number)
        await call.ended(seconds=60)
        await expect(drawer.locator("#call-outcome")).to_contain_text("connected the caller")
    record = await house.ended_call()
    assert record.end_cause == "transferred"
    asked = await eventually(
        lambda: CallEvent.all_tenants.filter(call=record, kind="transfer_asked").first()
    )
    assert (asked.state, asked.user) == ("done", house.owner)
    [tool] = world.tools(record)
    assert (tool.name, tool.command) == ("transfer_call", asked.command)


async def heard(page: Page, lane: int) -> list[float]:
    return list(await page.evaluate(HEARD, [lane, AUDIBLE, BROWSER_MS]))


async def test_an_owner_listens_in_and_everybody_who_watches_sees_it(
    world: World, chromium: Browser
) -> None:
    house = world.house()
    house.tenant.listen_in = "admins"
    house.tenant.save()
    viewer = world.person(f"viewer@{house.tenant.slug}.example", house.tenant, "viewer")
    page = await signed_in(chromium, house)
    other = await signed_in(chromium, replace(house, owner=viewer))
    await page.add_init_script(f"({NOTE_LOUDNESS})()")
    question = spoken("what are your opening hours")
    listens = f"{house.owner.name} listens in."
    async with PhoneProcess() as phone:
        call = await phone.call(house.uri)
        await call.answered()
        await open_call(page, house)
        await open_call(other, house)
        await call.wait_for_speech(since=0.0)
        await call.wait_for_silence()
        await expect(other.get_by_role("button", name="Listen in")).to_have_count(0)
        button = page.locator("button[data-listen]")
        await button.click()
        await expect(button).to_have_attribute("data-hears", "true")
        await expect(other.locator("#call-muted")).to_contain_text(listens)

        asking = asyncio.create_task(call.play(question))
        loudness = await heard(page, CALLER)
        assert loudness[CALLER] >= AUDIBLE > loudness[AGENT], loudness
        await asking
        loudness = await heard(page, AGENT)
        assert loudness[AGENT] >= AUDIBLE > loudness[CALLER], loudness

        await page.get_by_role("button", name="Stop listening").click()
        await expect(log_line(other, "listen_ended")).to_contain_text(house.owner.name)
        await expect(other.locator("#call-muted")).not_to_contain_text(listens)
    record = await house.ended_call()
    log = CallEvent.all_tenants.filter(call=record, kind__startswith="listen").order_by("pk")
    assert [(one.kind, one.state, one.user) for one in log] == [
        ("listen_began", "done", house.owner),
        ("listen_ended", "done", house.owner),
    ]
    assert AuditEntry.all_tenants.filter(action="call.listen", user=house.owner).exists()
