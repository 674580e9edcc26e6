"""A leg to a browser: two real aiortc peers over the loopback."""

from __future__ import annotations

import asyncio
import re
import threading

import numpy as np
import pytest

from media_worker.audio.tap import Tap
from media_worker.conversation.leg import LegAnswered, LegDtmf, LegEnded
from media_worker.webrtc import peer as peer_module
from media_worker.webrtc.leg import WebRtcLeg
from media_worker.webrtc.room import PeerError, Room, RoomConfig, ice_server
from tests.media_worker.webrtc.browser import Browser
from tests.support.sound import tone
from tests.support.wait import until

SECONDS = 60


def pcm(hz: float, seconds: float) -> bytes:
    return tone(hz, seconds).astype("<i2").tobytes()


def loud_ms(sound: bytes) -> int:
    frames = np.frombuffer(sound[: len(sound) // 320 * 320], "<i2").reshape(-1, 160)
    return int((np.abs(frames.astype(int)).max(axis=1) > 500).sum()) * 20


async def next_event(leg: WebRtcLeg):
    return await asyncio.wait_for(anext(aiter(leg.events())), SECONDS)


async def connected(room: Room, browser: Browser) -> WebRtcLeg:
    leg, answer = await room.answer(await browser.offer())
    await browser.take(answer)
    await asyncio.wait_for(leg.answer(), SECONDS)
    assert await next_event(leg) == LegAnswered("PCMU/8000")
    return leg


async def test_sound_goes_both_ways_and_onto_the_record(room: Room, browser: Browser):
    leg, answer = await room.answer(await browser.offer())
    tap = Tap(8000)
    await leg.record(tap)
    await browser.take(answer)
    await asyncio.wait_for(leg.answer(), SECONDS)
    assert await next_event(leg) == LegAnswered("PCMU/8000")
    leg.playout.append("greeting", pcm(440, 3.0))
    leg.playout.finish("greeting")
    # More than is waited for: a busy machine throws some of it away.
    browser.says = pcm(1000, 3.0)
    came = bytearray()

    def all_has_come() -> bool:
        came.extend(leg.capture.take())
        return browser.speech_ms >= 900 and loud_ms(bytes(came)) >= 900

    await until(all_has_come)
    await until(lambda: leg.playout.heard_ms("greeting") == 3000)
    recorded = np.frombuffer(tap.take(), "<i2").reshape(-1, 2)
    assert loud_ms(recorded[:, 0].tobytes()) >= 800
    assert loud_ms(recorded[:, 1].tobytes()) >= 800
    quality = await leg.quality()
    assert quality.packets_received > 40
    assert quality.packets_sent > 40
    assert quality.packets_lost == 0
    await leg.hang_up()
    assert await next_event(leg) == LegEnded(by_caller=False, sip_status=200, reason="")
    assert (await leg.quality()).packets_received >= quality.packets_received
    await browser.state("closed", "failed")


async def test_frames_come_at_their_pace_also_while_the_browser_sends_nothing(room, browser):
    leg = await connected(room, browser)
    leg.capture.take()
    began = asyncio.get_running_loop().time()
    came = bytearray()
    await until(lambda: came.extend(leg.capture.take()) or len(came) >= 50 * 320)
    took = asyncio.get_running_loop().time() - began
    assert took >= 0.9, "a second of sound takes a second"
    await leg.hang_up()


async def test_a_person_who_closes_the_page_has_hung_up(room: Room, browser: Browser):
    leg = await connected(room, browser)
    await browser.connection.close()
    event = await next_event(leg)
    assert (event.by_caller, event.sip_status) == (True, 200)


async def test_a_browser_with_another_certificate_is_not_spoken_with(room: Room, browser: Browser):
    """DTLS fails: the fingerprint of the offer is not that of who connects."""
    offer = await browser.offer()
    wrong = re.sub(
        r"(a=fingerprint:sha-256 )(..)", lambda m: m[1] + ("00" if m[2] != "00" else "11"), offer
    )
    assert wrong != offer
    # only one kind of fingerprint: the others would be right still
    wrong = re.sub(r"a=fingerprint:sha-(384|512) .*\r\n", "", wrong)
    leg, answer = await room.answer(wrong)
    await browser.take(answer)
    answering = asyncio.create_task(leg.answer())
    event = await next_event(leg)
    assert isinstance(event, LegEnded)
    assert leg.capture.take() == b""
    await asyncio.wait_for(answering, SECONDS)


async def test_a_network_that_is_gone_ends_the_call(room, browser, monkeypatch):
    monkeypatch.setattr(peer_module, "SILENT_SECONDS", 1.0)
    leg = await connected(room, browser)
    await until(lambda: bool(leg.capture.take()))
    browser.vanish()
    event = await next_event(leg)
    assert (event.by_caller, event.sip_status) == (False, 480)
    assert "Nothing came from the browser" in event.reason


async def test_a_browser_that_never_connects_ends_the_call(room, browser, monkeypatch):
    monkeypatch.setattr(peer_module, "CONNECT_SECONDS", 0.2)
    leg, _ = await room.answer(await browser.offer())
    event = await next_event(leg)
    assert (event.by_caller, event.reason) == (False, "The browser did not connect.")


async def test_keys_and_transfers(room: Room, browser: Browser):
    leg = await connected(room, browser)
    leg.press("5")
    assert await next_event(leg) == LegDtmf("5")
    outcome = await leg.transfer("sip:a@192.0.2.1", timeout_seconds=1)
    assert (outcome.succeeded, outcome.sip_status) == (False, 405)
    await leg.hang_up()


@pytest.mark.parametrize(
    "offer", ["", "v=0", "m=audio", "v=0\r\nm=video 9 X 0\r\n", "m=audio 9\r\n" * 2, "x" * 100_000]
)
async def test_what_is_no_offer_is_refused_in_plain_words(room: Room, offer: str):
    with pytest.raises(PeerError, match="browser"):
        await room.answer(offer)


async def test_a_stream_of_an_unknown_codec_is_refused(room: Room, browser: Browser):
    offer = (
        (await browser.offer()).replace("PCMU/8000", "XXX/8000").replace("PCMA/8000", "YYY/8000")
    )
    with pytest.raises(PeerError, match="could not be understood"):
        await room.answer(re.sub(r"(m=audio \d+ \S+).*", r"\1 96", offer))


async def test_the_room_takes_its_thread_with_it():
    room = Room(RoomConfig(clock_rate=8000))
    room.start()
    assert "webrtc" in [thread.name for thread in threading.enumerate()]
    await room.close()
    assert "webrtc" not in [thread.name for thread in threading.enumerate()]


async def test_a_worker_at_16_khz_speaks_g722(browser: Browser):
    room = Room(RoomConfig(clock_rate=16000, address="127.0.0.1"))
    room.start()
    leg, answer = await room.answer(await browser.offer())
    await browser.take(answer)
    await asyncio.wait_for(leg.answer(), SECONDS)
    assert await next_event(leg) == LegAnswered("G722/8000")
    leg.playout.append("greeting", tone(440, 1.0, rate=16000).astype("<i2").tobytes())
    browser.says = pcm(1000, 1.0)
    came = bytearray()
    await until(
        lambda: (
            came.extend(leg.capture.take())
            or (browser.speech_ms >= 800 and loud_ms(bytes(came)) >= 1600)
        )
    )
    await leg.hang_up()
    await room.close()


def test_a_turn_servers_login_is_no_part_of_its_address():
    server = ice_server("turn:ann%40x:se%3Acret@turn.example.com:3478?transport=tcp")
    assert server.urls == "turn:turn.example.com:3478?transport=tcp"
    assert (server.username, server.credential) == ("ann@x", "se:cret")
    assert ice_server("stun:stun.example.com").urls == "stun:stun.example.com"
