"""Opus in Ogg: as long as the sound, each side where it belongs, nothing of one in the other."""

import numpy as np
import pytest

from media_worker.recording.encode import EncodeError, encode
from tests.media_worker.audio.signals import voice
from tests.support.sound import decode, level_db, stereo


def speech(ms: int, rate: int, seed: int) -> np.ndarray:
    return np.frombuffer(voice(ms, rate=rate, seed=seed), dtype="<i2").astype(float)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("ms", [20, 1010, 7330])
def test_the_length_is_exact(tmp_path, rate, ms):
    sound = speech(ms, rate, 1)
    (tmp_path / "x").write_bytes(stereo(sound, sound))
    assert encode(tmp_path / "x", tmp_path / "y", rate) == ms
    assert len(decode((tmp_path / "y").read_bytes(), rate)) * 1000 / rate == pytest.approx(
        ms, abs=1
    )


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_sides_stay_apart_and_in_place(tmp_path, rate):
    """Each speaks for two seconds in turn, as on a call."""
    quiet = np.zeros(2 * rate)
    left = np.concatenate([speech(2000, rate, 1), quiet, speech(2000, rate, 2)])
    right = np.concatenate([quiet, speech(2000, rate, 3), quiet])
    (tmp_path / "x").write_bytes(stereo(left, right))
    encode(tmp_path / "x", tmp_path / "y", rate)
    heard = decode((tmp_path / "y").read_bytes(), rate).astype(float)
    middle = slice(rate // 2, 3 * rate // 2)
    for part, speaking in enumerate((0, 1, 0)):
        samples = heard[2 * rate * part :][middle]
        loud, other = level_db(samples[:, speaking]), level_db(samples[:, 1 - speaking])
        assert loud > -30
        assert other < loud - 35
    for side, sent in enumerate((left, right)):
        alike = np.fft.irfft(np.fft.rfft(heard[:, side]) * np.conj(np.fft.rfft(sent)))
        shift = int(np.argmax(alike))
        assert min(shift, len(alike) - shift) <= rate // 1000  # a millisecond


def test_a_last_sample_that_is_not_whole_is_left_out(tmp_path):
    sound = speech(1000, 8000, 1)
    (tmp_path / "x").write_bytes(stereo(sound, sound) + b"abc")
    assert encode(tmp_path / "x", tmp_path / "y", 8000) == 1000


def test_nothing_is_no_recording(tmp_path):
    (tmp_path / "x").write_bytes(b"ab")
    with pytest.raises(EncodeError):
        encode(tmp_path / "x", tmp_path / "y", 8000)
