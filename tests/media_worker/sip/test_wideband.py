"""A worker at 16 kHz: what is above 4 kHz goes both ways, and G.711 calls work too."""

import numpy as np
import pytest

from media_worker.conversation.leg import LegAnswered
from media_worker.sip.library import c_library
from tests.media_worker.audio.signals import loudest_hz, tone

WIDE = {"G722": "G722/8000"}  # RFC 3551 section 4.5.2: announced so, though it samples at 16 kHz
if hasattr(c_library(), "pjmedia_codec_opus_init"):
    WIDE["opus"] = "opus/48000"


def share_above(pcm: bytes, hz: float, rate: int) -> float:
    """Of the energy."""
    spectrum = np.abs(np.fft.rfft(np.frombuffer(pcm, dtype="<i2").astype(float))) ** 2
    return float(spectrum[int(hz * len(spectrum) * 2 / rate) :].sum() / spectrum.sum())


@pytest.mark.parametrize("codec", WIDE)
async def test_sound_above_4_khz_goes_both_ways(open_desk, open_phone, codec):
    desk = await open_desk(clock_rate=16000)
    phone = await open_phone(codecs=[codec, "PCMU"], clock_rate=16000)
    call = await phone.call(desk.uri())
    taken = await desk.next_call()
    assert await taken.answer() == LegAnswered(WIDE[codec])
    assert taken.leg.clock_rate == 16000
    taken.play(tone(5000, 1500, rate=16000))
    await call.wait_for_speech(since=0)
    await call.wait_for_silence(silence_ms=300)
    heard = (await call.heard()).pcm
    assert loudest_hz(heard, rate=16000) == pytest.approx(5000, abs=20)
    taken.leg.capture.take()
    await call.play(tone(6000, 1000, rate=16000))
    caught = taken.leg.capture.take()
    assert loudest_hz(caught, rate=16000) == pytest.approx(6000, abs=20)
    assert share_above(caught, 4000, 16000) > 0.9


async def test_a_g711_call_works_at_16_khz(open_desk, open_phone):
    desk = await open_desk(clock_rate=16000)
    phone = await open_phone(codecs=["PCMU"])
    call = await phone.call(desk.uri())
    taken = await desk.next_call()
    assert await taken.answer() == LegAnswered("PCMU/8000")
    taken.play(tone(1000, 1200, rate=16000))
    await call.wait_for_speech(since=0)
    await call.wait_for_silence(silence_ms=300)
    heard = (await call.heard()).pcm
    assert loudest_hz(heard) == pytest.approx(1000, abs=10)  # not at another speed
    taken.leg.capture.take()
    await call.play(tone(700, 1000))
    caught = taken.leg.capture.take()
    assert loudest_hz(caught, rate=16000) == pytest.approx(700, abs=10)


async def test_the_wideband_codec_is_preferred_and_opus_most(open_desk, open_phone):
    desk = await open_desk(clock_rate=16000)
    phone = await open_phone(codecs=[*reversed(WIDE), "PCMU", "PCMA"], clock_rate=16000)
    await phone.call(desk.uri())
    taken = await desk.next_call()
    assert (await taken.answer()).codec == list(WIDE.values())[-1]
