"""Calls of a real phone: signalling and sound over each transport."""

import asyncio
from itertools import count

import pytest

from media_worker.conversation.leg import LegAnswered, LegDtmf, LegEnded, LegHeld
from tests.media_worker.audio.signals import loudest_hz, tone
from tests.support.tries import best_of


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_call_is_answered_and_heard_both_ways(open_desk, phone, transport):
    desk = await open_desk(tls=transport == "tls")
    call = await phone.call(desk.uri("+4930123", transport), {"X-Trunk": "north"})
    taken = await desk.next_call()
    incoming = taken.incoming
    assert (incoming.called, incoming.calling) == ("+4930123", "phone")
    assert incoming.sip_call_id == call.sip_call_id
    assert incoming.source.startswith(f"{transport.upper()}:127.0.0.1:")
    assert incoming.headers["X-Trunk"] == "north"
    assert await phone.event("progress", call=call.number, status=180)

    assert await taken.answer() == LegAnswered("PCMU/8000")
    assert await call.answered() == "PCMU/8000"
    items = (f"item-{number}" for number in count())
    whole = pytest.approx(1000, abs=60)

    async def speech_ms() -> int:
        item, before = next(items), (await call.heard()).speech_ms
        since = asyncio.get_running_loop().time()
        taken.play(tone(700, 1000), item)
        speaking = asyncio.create_task(call.play(tone(1200, 1500)))
        began = await call.wait_for_speech(since=since)
        await call.wait_for_silence(silence_ms=300)
        heard = await call.heard(began)
        assert loudest_hz(heard.pcm[:8000]) == pytest.approx(700, abs=5)
        await speaking
        assert taken.leg.playout.heard_ms(item) == 1000
        return heard.speech_ms - before

    assert await best_of(speech_ms, lambda heard: heard == whole) == whole
    assert taken.leg.playout.underruns == 0

    speaking = asyncio.create_task(call.play(tone(1200, 1500)))
    assert loudest_hz((await taken.capture(1000))[8000:]) == pytest.approx(1200, abs=5)
    await speaking
    await call.hang_up()
    assert await taken.ended() == LegEnded(True, 200, "Normal call clearing")


async def test_we_hang_up(talking):
    call, taken = talking
    await taken.leg.hang_up()
    assert (await taken.ended()).by_caller is False
    assert (await call.ended())[0] == 200
    assert [type(event) for event in taken.seen] == [LegAnswered, LegEnded]
    await taken.leg.hang_up()  # once more does no harm


async def test_hold_stops_the_sound_both_ways_and_unhold_brings_it_back(talking, desk, phone):
    call, taken = talking
    await call.hold()
    assert await taken.expect(LegHeld) == LegHeld(True)
    await phone.event("held", call=call.number, held=True)  # or its INVITE is still under way
    taken.leg.capture.take()
    await phone.call(desk.uri())
    clock = await desk.next_call()
    await clock.answer()
    await clock.capture(500)
    assert taken.leg.capture.take() == b""
    await call.unhold()
    assert await taken.expect(LegHeld, nth=2) == LegHeld(False)
    await phone.event("held", call=call.number, held=False)
    taken.play(tone(500, 1200))
    await call.wait_for_speech(since=0)
    await call.wait_for_silence(silence_ms=300)
    heard = await call.heard()
    assert heard.speech_ms > 600
    assert loudest_hz(heard.pcm[-1000 * 16 : -500 * 16]) == pytest.approx(500, abs=5)
    speaking = asyncio.create_task(call.play(tone(900, 1000)))
    assert loudest_hz((await taken.capture(600))[4800:]) == pytest.approx(900, abs=5)
    await speaking


async def test_dtmf_keys_arrive_in_order(talking):
    call, taken = talking
    await call.dtmf("12#*0")
    await taken.expect(LegDtmf, nth=5)
    digits = [event.digit for event in taken.seen if isinstance(event, LegDtmf)]
    assert "".join(digits) == "12#*0"


async def test_the_caller_gives_up_before_the_answer(desk, phone):
    call = await phone.call(desk.uri())
    taken = await desk.next_call()
    await phone.event("progress", call=call.number, status=180)
    await call.hang_up()
    assert await call.ended() == (487, "Request Terminated")
    ended = await taken.ended()
    assert (ended.by_caller, ended.sip_status) == (True, 487)
    await taken.leg.answer()  # too late, and says nothing
    await taken.incoming.refuse(404)
    assert taken.seen == [ended]


async def test_a_flush_silences_the_caller_s_ear_within_100_ms(talking):
    call, taken = talking
    loop = asyncio.get_running_loop()  # CLOCK_MONOTONIC, as the phone's times are
    items = (f"item-{number}" for number in count())

    async def flush() -> tuple[float, int]:
        """Milliseconds to silence, and how many more the phone heard than were cut off at."""
        before, began_at = (await call.heard()).speech_ms, loop.time()
        taken.leg.playout.append(next(items), tone(600, 20_000))
        await call.wait_for_speech(since=began_at)
        for _ in range(25):  # half a second into it
            await taken.capture(20)
        flushed_at = loop.time()
        cut = taken.leg.playout.flush()
        last_loud = await call.wait_for_silence(silence_ms=300)
        heard = (await call.heard()).speech_ms - before
        return (last_loud - flushed_at) * 1000, heard - cut.heard_ms

    def is_good(result: tuple[float, int]) -> bool:
        return result[0] < 100 and abs(result[1]) <= 80

    assert is_good(await best_of(flush, is_good))
    assert taken.leg.playout.is_idle


async def test_the_capture_clock_goes_on_while_nothing_is_said(talking):
    _, taken = talking
    second = pytest.approx(1.0, abs=0.15)

    async def seconds_for_a_second() -> float:
        began = asyncio.get_running_loop().time()
        await taken.capture(1000)
        return asyncio.get_running_loop().time() - began

    assert await best_of(seconds_for_a_second, lambda seconds: seconds == second) == second


async def test_pcma_where_the_phone_knows_no_other(desk, open_phone):
    phone = await open_phone(codecs=["PCMA"])
    call = await phone.call(desk.uri())
    taken = await desk.next_call()
    assert await taken.answer() == LegAnswered("PCMA/8000")
    taken.play(tone(700, 600))
    await call.wait_for_speech(since=0)
    await call.wait_for_silence(silence_ms=300)
    assert loudest_hz((await call.heard()).pcm) == pytest.approx(700, abs=10)


async def test_srtp_when_the_phone_offers_it(desk, open_phone):
    phone = await open_phone(srtp=True)
    call = await phone.call(desk.uri(transport="tcp"))
    taken = await desk.next_call()
    await taken.answer()
    taken.play(tone(700, 600))
    await call.wait_for_speech(since=0)
    await call.wait_for_silence(silence_ms=300)
    assert loudest_hz((await call.heard()).pcm) == pytest.approx(700, abs=10)


async def test_a_second_call_at_the_same_time_keeps_its_own_sound(desk, phone):
    first, second = await phone.call(desk.uri("1")), await phone.call(desk.uri("2"))
    taken = {}
    for _ in range(2):
        one = await desk.next_call()
        taken[one.incoming.called] = one
        await one.answer()
    taken["1"].play(tone(500, 600))
    taken["2"].play(tone(1500, 600))
    for call, hz in ((first, 500), (second, 1500)):
        await call.wait_for_speech(since=0)
        await call.wait_for_silence(silence_ms=300)
        assert loudest_hz((await call.heard()).pcm) == pytest.approx(hz, abs=10)
