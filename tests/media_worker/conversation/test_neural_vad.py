"""A call with the neural detector: who speaks is heard, a key, a cough and noise are not."""

from __future__ import annotations

import numpy as np
import pytest

from media_worker import speech
from media_worker.audio.neural import NeuralVad
from media_worker.contract import LocalVad, VadMode
from tests.media_worker.conversation.stage import RATE, Stage, is_sound, make_plan

LONG = "We are open from Monday to Friday, from eight in the morning until six in the evening."


@pytest.fixture(scope="module")
def neural() -> NeuralVad:
    return NeuralVad(RATE)


@pytest.fixture(scope="module")
def sentence() -> bytes:
    return speech.render("what are your opening hours", "en", RATE)


def key(ms: int) -> bytes:
    """In-band DTMF, the digit 5 (ITU-T Q.23)."""
    time = np.arange(ms * RATE // 1000) / RATE
    wave = np.sin(2 * np.pi * 770 * time) + np.sin(2 * np.pi * 1336 * time)
    return (wave * 6000).astype("<i2").tobytes()


def cough() -> bytes:
    """A burst of noise that dies away, twice."""
    chance = np.random.default_rng(7)
    length = RATE * 3 // 10
    burst = chance.normal(0, 9000, length) * np.exp(-np.arange(length) / (RATE * 0.06))
    return np.clip(np.tile(burst, 2), -32768, 32767).astype("<i2").tobytes()


async def speaking(stage: Stage):
    session = await stage.greeted()
    session.speak("a1", LONG, 5000)
    await stage.run(1000)
    return session


async def test_speech_silences_the_agent_within_a_few_windows(make_stage, neural, sentence):
    stage = make_stage(make_plan(local_vad=LocalVad.NEURAL), neural)
    session = await speaking(stage)
    stage.caller_says = sentence
    began = len(stage.heard)
    await stage.until(lambda: not is_sound(stage.heard[-1]), limit_ms=600)
    assert (len(stage.heard) - began) * 20 <= 240
    await stage.until(lambda: bool(session.did("interrupt")), limit_ms=1000)


@pytest.mark.parametrize("sound", [key(200), key(1500), cough()], ids=["key", "long key", "cough"])
async def test_sounds_that_are_no_speech_stop_nothing(make_stage, neural, sound):
    stage = make_stage(make_plan(local_vad=LocalVad.NEURAL), neural)
    session = await speaking(stage)
    stage.caller_says = sound
    await stage.run(4100)
    assert stage.heard_ms == 3000 + 5000
    assert all(map(is_sound, stage.heard[-250:-50]))  # and not even paused
    assert session.did("interrupt") == []


async def test_local_turns_end_by_the_neural_detector(make_stage, neural, sentence):
    stage = make_stage(make_plan(vad_mode=VadMode.LOCAL, local_vad=LocalVad.NEURAL), neural)
    session = await stage.greeted()
    stage.caller_says = sentence
    await stage.run(len(sentence) // 16 + 1000)
    assert session.did("commit_turn") == [None]


async def test_calls_of_one_process_share_it_and_give_their_place_back(
    make_stage, neural, sentence
):
    first = make_stage(make_plan(local_vad=LocalVad.NEURAL), neural)
    second = make_stage(make_plan(local_vad=LocalVad.NEURAL), neural)
    session, other = await speaking(first), await speaking(second)
    free = len(neural._free)
    first.caller_says = sentence
    await first.run(2000)
    await second.run(2000)
    assert (len(session.did("interrupt")), len(other.did("interrupt"))) == (1, 0)
    await first.close()
    await second.close()
    assert len(neural._free) == free + 2


async def test_webrtc_takes_its_place_where_there_is_no_model(make_stage, sentence):
    stage = make_stage(make_plan(local_vad=LocalVad.NEURAL))
    session = await speaking(stage)
    stage.caller_says = sentence
    await stage.until(lambda: bool(session.did("interrupt")), limit_ms=1500)
