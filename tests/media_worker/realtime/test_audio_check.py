"""What is held back until it is known to be what was declared, and for how long."""

import numpy as np
import pytest

from media_worker.audio.g711 import encode_a_law, encode_mu_law
from media_worker.contract import AudioFormat
from media_worker.realtime.audio_check import AudioCheck
from tests.media_worker.audio.signals import silence, voice

FMT = AudioFormat.PCMU


def test_speech_that_is_paced_in_real_time_is_not_held_back():
    check = AudioCheck(FMT)
    octets = encode_mu_law(voice(300))
    assert check.feed("a", octets[:800]) == octets[:800]
    assert check.is_settled
    assert check.feed("a", octets[800:820]) == octets[800:820]


def test_silence_is_not_held_back_and_settles_nothing():
    check = AudioCheck(FMT)
    for _ in range(5):
        assert check.feed("a", b"\xff" * 160) == b"\xff" * 160
    assert not check.is_settled
    pcm = voice(300, rate=24000)
    assert check.feed("a", pcm[:800]) == b""
    assert check.feed("a", pcm[800:1600]) == pcm[:1600]
    assert check.is_pcm


@pytest.mark.parametrize(
    ("law", "encode"),
    [(AudioFormat.PCMU, encode_mu_law), (AudioFormat.PCMA, encode_a_law)],
)
def test_noise_that_is_not_loud_is_not_held_back_and_settles_nothing(law, encode):
    check = AudioCheck(law)
    hum = encode(np.random.default_rng(1).integers(-9000, 9001, 2400).astype("<i2").tobytes())
    for at in range(0, len(hum), 800):
        assert check.feed("a", hum[at : at + 800]) == hum[at : at + 800]
    assert not check.is_settled
    assert check.feed("a", encode(voice(100))) == encode(voice(100))
    assert check.is_settled
    assert not check.is_pcm


@pytest.mark.parametrize("law", [AudioFormat.PCMU, AudioFormat.PCMA])
@pytest.mark.parametrize("level", [0.0, 0.002, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("size", [160, 320, 800])
def test_nothing_of_pcm_is_played_before_it_is_judged_however_it_is_cut(law, level, size):
    said = np.frombuffer(voice(300, rate=24000), "<i2") * level
    noise = np.random.default_rng(2).normal(0, 20, len(said))
    pcm = (said + noise).astype("<i2").tobytes()
    check = AudioCheck(law)
    for at in range(0, 1600 - size, size):
        assert check.feed("a", pcm[at : at + size]) == b""


def test_pcm_that_begins_all_but_silent_is_found_out_when_it_is_loud():
    check = AudioCheck(FMT)
    quiet = silence(100)
    loud = voice(500, rate=24000)
    fed = quiet + loud
    out = b"".join(check.feed("a", fed[at : at + 800]) for at in range(0, len(fed), 800))
    assert check.is_pcm
    assert out + check.finish("a") == fed
