import numpy as np
import pytest

from media_worker import speech
from media_worker.audio import g711
from media_worker.audio.formats import (
    Decoder,
    Encoder,
    bytes_per_ms,
    is_surely_g711,
    looks_like_pcm16,
    sample_rate,
)
from media_worker.audio.vad import level_db
from media_worker.contract import AudioFormat
from tests.media_worker.audio.signals import loudest_hz, noise, silence, tone, voice

ALL = list(AudioFormat)


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize(
    ("fmt", "expected"),
    [("pcmu", 8), ("pcma", 8), ("pcm16k", 32), ("pcm24k", 48)],
)
def test_byte_rate(fmt, expected):
    assert bytes_per_ms(AudioFormat(fmt)) == expected


@pytest.mark.parametrize("clock_rate", [8000, 16000])
@pytest.mark.parametrize("fmt", ALL)
def test_a_tone_survives_there_and_back_in_chunks(fmt, clock_rate):
    encoder, decoder = Encoder(fmt, clock_rate), Decoder(fmt, clock_rate)
    sound = tone(440, 2000, rate=clock_rate)
    encoded = [encoder.encode(chunk) for chunk in chunks(sound, clock_rate // 50 * 2)]
    assert 0 <= 2000 * bytes_per_ms(fmt) - sum(map(len, encoded)) <= 62 * bytes_per_ms(fmt)
    back = b"".join(map(decoder.decode, encoded)) + decoder.finish()
    assert 0 <= len(sound) - len(back) <= 62 * clock_rate // 1000 * 2
    assert loudest_hz(back, rate=clock_rate) == pytest.approx(440, abs=2)
    middle = np.frombuffer(back, "<i2")[clock_rate // 2 : clock_rate]
    assert np.abs(middle).max() == pytest.approx(0.3 * 32767, rel=0.05)


def test_the_resampler_never_holds_back_more_than_40_ms_between_8_and_24_khz():
    encoder, given, got = Encoder(AudioFormat.PCM_24K, 8000), 0, 0
    for chunk in chunks(tone(440, 1000), 320):
        given, got = given + 20, got + len(encoder.encode(chunk)) / 48
        assert given - got <= 40.1


def test_finish_gives_what_was_held_back():
    decoder = Decoder(AudioFormat.PCM_24K, 8000)
    out = decoder.decode(tone(440, 300, rate=24000))
    out += decoder.finish()
    assert len(out) == 300 * 16
    again = decoder.decode(tone(440, 300, rate=24000)) + decoder.finish()
    difference = np.frombuffer(again, "<i2").astype(int) - np.frombuffer(out, "<i2")
    assert np.abs(difference).max() <= 2  # soxr dithers


def test_a_sample_split_between_two_deltas_stays_whole():
    sound = tone(440, 200, rate=24000)
    whole, split = Decoder(AudioFormat.PCM_24K, 8000), Decoder(AudioFormat.PCM_24K, 8000)
    expected = whole.decode(sound) + whole.finish()
    got = b"".join(split.decode(chunk) for chunk in chunks(sound, 333)) + split.finish()
    assert abs(len(got) - len(expected)) <= 2
    assert loudest_hz(got) == pytest.approx(440, abs=6)


def test_reset_forgets_the_half_sample():
    decoder = Decoder(AudioFormat.PCM_16K, 16000)
    assert decoder.decode(b"\x01") == b""
    decoder.reset()
    assert decoder.decode(b"\x02\x03") == b"\x02\x03"


def test_rates():
    assert [sample_rate(fmt) for fmt in ALL] == [8000, 8000, 24000, 16000]


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
@pytest.mark.parametrize("level", [0.02, 0.2, 0.9])
def test_pcm_that_was_declared_as_g711_is_found_out(rate, level):
    assert looks_like_pcm16(voice(500, rate=rate, level=level))


@pytest.mark.parametrize("encode", [g711.encode_mu_law, g711.encode_a_law])
@pytest.mark.parametrize("level", [0.02, 0.2, 0.9])
def test_g711_is_not_taken_for_pcm(encode, level):
    for sound in (voice(500, level=level), noise(500, level=level), tone(300, 500, level=level)):
        assert not looks_like_pcm16(encode(sound))


def test_real_speech_is_read_right_either_way():
    pcm = speech.render("we are open from eight to five on weekdays", "en", 24000)
    narrow = speech.render("we are open from eight to five on weekdays", "en", 8000)
    second = 24000
    for start in range(0, len(pcm) - second, second):  # each half second alone
        loud = level_db(pcm[start : start + second]) > -40
        assert looks_like_pcm16(pcm[start : start + second]) or not loud
    for encode in (g711.encode_mu_law, g711.encode_a_law):
        octets = encode(narrow)
        for start in range(0, len(octets) - 4000, 4000):
            assert not looks_like_pcm16(octets[start : start + 4000])


@pytest.mark.parametrize("rate", [16000, 24000])
@pytest.mark.parametrize("size", [640, 800, 1600])
def test_no_pcm_is_ever_surely_g711(rate, size):
    spoken = speech.render("we are open from eight to five on weekdays", "en", rate)
    still = (np.random.default_rng(7).normal(0, 8, 24000)).astype("<i2").tobytes()
    sounds = (spoken, still, voice(500, rate=rate, level=0.02), noise(500, level=0.2), silence(500))
    for sound in sounds:
        assert not any(is_surely_g711(chunk) for chunk in chunks(sound, size))


def test_most_speech_in_g711_is_known_by_its_first_100_ms():
    narrow = speech.render("we are open from eight to five on weekdays", "en", 8000)
    for encode in (g711.encode_mu_law, g711.encode_a_law):
        loud = [
            encode(chunk)
            for chunk in chunks(narrow, 1600)
            if len(chunk) == 1600 and level_db(chunk) > -40
        ]
        assert sum(is_surely_g711(octets) for octets in loud) > 0.75 * len(loud)
    assert not is_surely_g711(b"")
    assert not is_surely_g711(b"\xff" * 1600)


def test_silence_and_scraps_say_nothing():
    assert not looks_like_pcm16(silence(500))
    assert not looks_like_pcm16(b"\xff" * 4000)
    assert not looks_like_pcm16(b"\xd5" * 4000)
    assert not looks_like_pcm16(voice(10))
    assert not looks_like_pcm16(b"")
