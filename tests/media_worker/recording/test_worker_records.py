"""A real worker records real calls; the web side is a stub, the provider answers nobody."""

from __future__ import annotations

import resource
import signal
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest

from media_worker.contract import (
    CallAnswered,
    CallEnded,
    RecordingFailed,
    RecordingProblem,
    Settings,
    WorkerStarted,
)
from media_worker.recording.files import PCM, RAW, Folder
from tests.media_worker.recording.test_recordings import Shelf
from tests.media_worker.test_worker import NOBODY, ended_call, house, of, plan_at
from tests.media_worker.worker_process import WorkerProcess
from tests.support.sound import decode, level_db, tone
from tests.support.tries import best_of
from tests.support.wait import until

RECORDED = Settings(model="m", voice="marin", record=True)
RATE = 8000


def plan(settings: Settings = RECORDED):
    return plan_at(NOBODY, settings=settings)


def written(folder: Folder, seconds: float) -> bool:
    """So much is on disk."""
    return any(
        folder.file(call_id, RAW).stat().st_size > seconds * RATE * 4
        for call_id in folder.waiting(RAW)
    )


async def test_a_call_is_recorded_and_brought(tmp_path):
    """The apology on the right, the caller's tone on the left."""
    shelf = Shelf()
    async with house(tmp_path, plan()) as (web, phone, worker):
        web.http.on_put = shelf
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await call.play(tone(1000, 1.0).astype("<i2").tobytes())
        call_id, events = await ended_call(web.link)
        await shelf.until(1)
        ((path, query, body),) = shelf.came
        assert path.endswith(call_id)
        sound = decode(body)
        lasted = next(event for event in events if isinstance(event, CallEnded)).duration_ms
        assert int(query["duration_ms"]) == round(len(sound) / RATE * 1000)
        assert abs(int(query["duration_ms"]) + int(query["offset_ms"]) - lasted) < 1000
        spectrum = np.abs(np.fft.rfft(sound[:, 0].astype(float)))
        assert np.argmax(spectrum) * RATE / len(sound) == pytest.approx(1000, abs=5)
        assert level_db(sound[:, 1]) > -35
        await until(lambda: not Folder(tmp_path / "worker" / "recordings").unsent()[0])
        assert not of(web.link, RecordingFailed)


async def test_a_call_that_is_not_to_be_recorded_leaves_nothing(tmp_path):
    shelf = Shelf()
    settings = msgspec.structs.replace(RECORDED, record=False)
    async with house(tmp_path, plan(settings)) as (web, phone, worker):
        web.http.on_put = shelf
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await ended_call(web.link)
        worker.signal(signal.SIGTERM)
        assert await worker.ended() == 0
    assert shelf.came == []
    assert not list((tmp_path / "worker" / "recordings").glob("*.*"))


async def test_what_a_killed_worker_wrote_is_brought_by_the_next(tmp_path):
    shelf = Shelf()
    folder = Folder(tmp_path / "worker" / "recordings")
    async with house(tmp_path, plan()) as (web, phone, worker):
        web.http.on_put = shelf
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await until(lambda: written(folder, 1.5))
        worker.signal(signal.SIGKILL)
        await worker.ended()
        assert shelf.came == []
        async with WorkerProcess(tmp_path, web.url) as second:
            await second.said("worker.started")
            await web.link.until(lambda: len(of(web.link, WorkerStarted)) == 2)
            await shelf.until(1)
        (answered,) = of(web.link, CallAnswered)
        path, query, body = shelf.came[0]
        assert path.endswith(answered.call_id)
        assert len(decode(body)) >= 1.5 * RATE
        assert int(query["duration_ms"]) >= 1500


async def test_a_disk_that_fills_up_ends_the_recording_and_not_the_call(tmp_path):
    shelf = Shelf()
    folder = Folder(tmp_path / "worker" / "recordings")
    async with house(tmp_path, plan()) as (web, phone, worker):
        web.http.on_put = shelf
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await until(lambda: written(folder, 0.5))
        (call_id,) = folder.waiting(RAW)
        # No file of this process may grow beyond what this one has: its writes fail from now on.
        size = folder.file(call_id, RAW).stat().st_size
        limits = resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (size, limits[1]))
        await worker.said("recording.stopped")
        resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, limits)
        await web.link.until(lambda: bool(of(web.link, RecordingFailed)))
        assert not of(web.link, CallEnded), "the call goes on"
        (failed,) = of(web.link, RecordingFailed)
        assert failed.call_id == call_id
        assert failed.event.problem is RecordingProblem.DISK_FULL
        await shelf.until(1)  # what was written until then
        await ended_call(web.link)
        assert len(shelf.came) == 1
        assert not folder.waiting(PCM)


async def test_a_worker_that_is_told_to_stop_brings_its_recordings_first(tmp_path):
    folders = (tmp_path / str(number) for number in count())
    # Of ten seconds to do so; on a machine that is busy enough they are over before it has begun.
    assert await best_of(lambda: brought_at_the_stop(next(folders)), lambda came: came == 1) == 1


async def brought_at_the_stop(data: Path) -> int:
    """How many recordings of the one call came to the web side."""
    shelf = Shelf()
    async with house(data, plan()) as (web, phone, worker):
        web.http.on_put = shelf
        call = await phone.call(worker.uri("100"))
        await call.answered()
        await until(lambda: written(Folder(data / "worker" / "recordings"), 0.5))
        worker.signal(signal.SIGTERM)
        worker.signal(signal.SIGTERM)
        assert await worker.ended() == 0
    return len(shelf.came)
