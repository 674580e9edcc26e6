"""The recorder: a real thread and real files; frames come as a bridge would bring them."""

from __future__ import annotations

import asyncio
from time import monotonic

import numpy as np
import pytest

from media_worker.contract import RecordingProblem
from media_worker.recording.files import FACTS, PCM, RAW, Folder
from media_worker.recording.recorder import Recorder
from tests.support.wait import until

RATE = 8000
FRAME = RATE // 50


def frame(value: int) -> bytes:
    return np.full(FRAME, value, dtype="<i2").tobytes()


class Heard:
    """What a recorder reported."""

    def __init__(self) -> None:
        self.problems: list[tuple[str, RecordingProblem]] = []
        self.ready = 0
        self.changed = asyncio.Event()

    def on_ready(self) -> None:
        self.ready += 1
        self.changed.set()

    def on_problem(self, call_id: str, problem: RecordingProblem) -> None:
        self.problems.append((call_id, problem))
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "recordings")


@pytest.fixture
async def recorder(folder, heard):
    recorder = Recorder(folder, on_ready=heard.on_ready, on_problem=heard.on_problem, free_bytes=0)
    yield recorder
    await recorder.close()


def sound(folder: Folder, call_id: str) -> np.ndarray:
    return np.frombuffer(folder.file(call_id, PCM).read_bytes(), dtype="<i2").reshape(-1, 2)


async def until_written(folder: Folder, call_id: str) -> None:
    """Its first piece is on disk."""
    raw = folder.file(call_id, RAW)
    await until(lambda: raw.exists() and raw.stat().st_size)


async def test_many_calls_are_written_beside_each_other(recorder, folder, heard):
    begun = monotonic()
    recordings = [recorder.begin(f"call-{number}", RATE) for number in range(40)]
    for number, recording in enumerate(recordings):
        for tick in range(25):
            recording.tap.put(frame(number), frame(-tick))
        recording.answered(begun)
        recording.end()
    await heard.until(lambda: heard.ready == 40)
    assert heard.problems == []
    for number in range(40):
        written = sound(folder, f"call-{number}")
        assert (written[:, 0] == number).all()
        assert (written[:, 1] == -np.repeat(np.arange(25), FRAME)).all()
        facts = folder.facts(f"call-{number}")
        assert facts.clock_rate == RATE
        assert -500 <= facts.offset_ms < 5000  # they came faster than a bridge brings them


async def test_what_came_before_the_answer_is_kept_and_placed(recorder, folder, heard):
    recording = recorder.begin("call", RATE)
    recording.tap.put(frame(1), frame(2))
    recording.answered(monotonic() + 0.25)
    recording.end()
    await heard.until(lambda: heard.ready)
    assert folder.facts("call").offset_ms == pytest.approx(-250, abs=50)


async def test_a_call_that_was_never_answered_leaves_nothing(recorder, folder, heard):
    recording = recorder.begin("call", RATE)
    recording.tap.put(frame(1), frame(2))
    recording.end()
    other = recorder.begin("other", RATE)
    other.tap.put(frame(1), frame(2))
    other.answered(monotonic())
    other.end()
    await heard.until(lambda: heard.ready)
    assert heard.problems == []
    assert not list(folder.path.glob("call*"))


async def test_an_answered_call_without_a_frame_is_a_problem_of_its_own(recorder, folder, heard):
    recording = recorder.begin("call", RATE)
    recording.answered(monotonic())
    recording.end()
    await heard.until(lambda: heard.problems)
    assert heard.problems == [("call", RecordingProblem.NO_SOUND)]
    assert not list(folder.path.glob("call*"))


async def test_what_a_killed_worker_wrote_is_complete_at_the_next_start(recorder, folder):
    recording = recorder.begin("call", RATE)
    recording.answered(monotonic())
    recording.tap.put(frame(1), frame(2))
    await until_written(folder, "call")
    folder.file("dead", RAW).write_bytes(b"x" * 100)  # of it nothing is known
    Folder(folder.path).complete_leftovers()
    assert folder.waiting(PCM) == ["call"]
    assert folder.facts("call") is not None
    assert (sound(folder, "call") == [1, 2]).all()
    assert not list(folder.path.glob("dead*"))
    recording.end()


async def test_a_full_disk_ends_the_recording_with_what_was_written(folder, heard, monkeypatch):
    room = [10_000_000]
    monkeypatch.setattr(
        "media_worker.recording.recorder.shutil.disk_usage",
        lambda _path: type("Usage", (), {"free": room[0]}),
    )
    recorder = Recorder(
        folder, on_ready=heard.on_ready, on_problem=heard.on_problem, free_bytes=1_000_000
    )
    recording = recorder.begin("call", RATE)
    recording.answered(monotonic())
    recording.tap.put(frame(1), frame(2))
    await until_written(folder, "call")
    room[0] = 10
    recording.tap.put(frame(3), frame(4))
    await heard.until(lambda: heard.problems and heard.ready)
    assert heard.problems == [("call", RecordingProblem.DISK_FULL)]
    assert (sound(folder, "call") == [1, 2]).all()
    # The call goes on, its frames go nowhere, and nothing is told twice.
    recording.tap.put(frame(5), frame(6))
    recording.end()
    await recorder.close()
    assert (len(heard.problems), heard.ready) == (1, 1)
    assert (sound(folder, "call") == [1, 2]).all()


async def test_a_folder_that_is_gone_is_said_once(folder, heard):
    recorder = Recorder(folder, on_ready=heard.on_ready, on_problem=heard.on_problem, free_bytes=0)
    (folder.path / "refused").rmdir()
    folder.path.rmdir()
    recording = recorder.begin("call", RATE)
    recording.answered(monotonic())
    recording.tap.put(frame(1), frame(2))
    recording.end()
    await heard.until(lambda: heard.problems)
    await recorder.close()
    assert heard.problems == [("call", RecordingProblem.NOT_WRITTEN)]


async def test_closing_completes_what_runs(folder, heard):
    recorder = Recorder(folder, on_ready=heard.on_ready, on_problem=heard.on_problem, free_bytes=0)
    recording = recorder.begin("call", RATE)
    recording.answered(monotonic())
    recording.tap.put(frame(1), frame(2))
    await recorder.close()
    assert (sound(folder, "call") == [1, 2]).all()
    assert not folder.file("call", RAW).exists()
    assert folder.file("call", FACTS).exists()
