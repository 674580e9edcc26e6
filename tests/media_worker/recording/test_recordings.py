"""Recordings on their way: the real sender process, and a web side on loopback that misbehaves."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np
import pytest

from media_worker.config import WorkerConfig
from media_worker.contract import RecordingFailed, RecordingProblem
from media_worker.recording.files import FACTS, OGG, PCM, REFUSED, Facts, Folder
from media_worker.recording.recordings import Recordings
from media_worker.recording.sender import MOST_ATTEMPTS
from tests.media_worker.control.web_stub import RIGHT, HttpStub
from tests.support.sound import decode, sha256, stereo, tone
from tests.support.wait import until

SECONDS = 30.0


class Shelf:
    """A web side for recordings: gives the statuses it is told, then 201."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        self.changed = asyncio.Event()

    def __call__(self, path: str, body: bytes) -> int:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.came.append((parts.path, query, body))
        self.changed.set()
        return self.statuses.pop(0) if self.statuses else 201

    async def until(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.came) < count:
                self.changed.clear()
                await self.changed.wait()


def config(data: Path, url: str) -> WorkerConfig:
    return WorkerConfig(worker_token=RIGHT, web_url=url, data=data)


@asynccontextmanager
async def web(shelf: Shelf, port: int = 0):
    stub = HttpStub(None)
    stub.on_put = shelf
    stub.port = port
    async with stub:
        yield stub


def wait_there(data: Path, call_id: str = "call-1", ms: int = 1500) -> Folder:
    """A recording that was complete when the worker before this one ended."""
    folder = Folder(config(data, "http://127.0.0.1:9").recordings_folder)
    sound = tone(440, ms / 1000)
    folder.write_facts(Facts(call_id=call_id, clock_rate=8000, offset_ms=-60))
    folder.file(call_id, PCM).write_bytes(stereo(sound, np.zeros(len(sound))))
    return folder


async def until_empty(folder: Folder) -> None:
    await until(lambda: not (folder.unsent()[0] or list(folder.path.glob(f"*{FACTS}"))))


async def test_it_is_encoded_sent_and_removed(tmp_path):
    folder = wait_there(tmp_path)
    shelf = Shelf()
    async with web(shelf) as stub:
        recordings = Recordings(config(tmp_path, stub.url), lambda *_: None)
        await shelf.until(1)
        await until_empty(folder)
        await recordings.close()
    ((path, query, body),) = shelf.came
    assert path == "/api/worker/v1/recordings/call-1"
    assert query == {"duration_ms": "1500", "offset_ms": "-60", "sha256": sha256(body)}
    assert len(decode(body)) == 12_000


async def test_one_that_ends_now_goes_at_once(tmp_path):
    shelf = Shelf()
    async with web(shelf) as stub:
        recordings = Recordings(config(tmp_path, stub.url), lambda *_: None)
        for number in range(2):  # the sender that is there is told of the second
            recording = recordings.begin(f"call-{number}", 8000)
            recording.answered(monotonic())
            recording.tap.put(bytes(320), bytes(320))
            recording.end()
            await shelf.until(number + 1)
        await recordings.close()
    assert [path[-6:] for path, _, _ in shelf.came] == ["call-0", "call-1"]


@pytest.mark.parametrize("status", [500, 503, 401])
async def test_it_is_sent_again_until_it_is_stored(tmp_path, status):
    folder = wait_there(tmp_path)
    shelf = Shelf(status, status)
    async with web(shelf) as stub:
        recordings = Recordings(config(tmp_path, stub.url), lambda *_: None)
        await shelf.until(3)
        await until_empty(folder)
        await recordings.close()
    assert len({body for _, _, body in shelf.came}) == 1


async def test_a_web_side_that_comes_back_gets_it(tmp_path):
    folder = wait_there(tmp_path)
    async with web(Shelf()) as stub:
        port = stub.port
    shelf = Shelf()
    recordings = Recordings(config(tmp_path, f"http://127.0.0.1:{port}"), lambda *_: None)
    await until(lambda: folder.waiting(OGG))
    async with web(shelf, port):
        await until_empty(folder)
        await recordings.close()
    assert len(shelf.came) == 1


async def test_a_worker_that_stops_meanwhile_leaves_it_to_the_next(tmp_path):
    folder = wait_there(tmp_path)
    async with web(Shelf(*[503] * 100)) as stub:
        recordings = Recordings(config(tmp_path, stub.url), lambda *_: None)
        await until(lambda: folder.waiting(OGG))
        began = monotonic()
        await recordings.close()
        assert monotonic() - began < 12
    assert folder.waiting(OGG) == ["call-1"]
    shelf = Shelf()
    async with web(shelf) as stub:
        recordings = Recordings(config(tmp_path, stub.url), lambda *_: None)
        await until_empty(folder)
        await recordings.close()
    assert len(shelf.came) == 1


@pytest.mark.parametrize("status", [400, 409, 413])
async def test_what_is_not_taken_is_set_aside_and_said(tmp_path, status):
    folder = wait_there(tmp_path)
    wait_there(tmp_path, "call-2")
    shelf = Shelf(status)
    said: list[tuple[str, RecordingFailed]] = []
    async with web(shelf) as stub:
        recordings = Recordings(
            config(tmp_path, stub.url), lambda call_id, event: said.append((call_id, event))
        )
        await shelf.until(2)  # the one behind it is not held up
        await until_empty(folder)
        await recordings.close()
    first = shelf.came[0][0].rpartition("/")[2]
    assert said == [(first, RecordingFailed(problem=RecordingProblem.NOT_TAKEN))]
    aside = folder.path / REFUSED / f"{first}{OGG}"
    assert aside.read_bytes() == shelf.came[0][2]


async def test_a_call_that_is_not_known_yet_holds_nobody_up(tmp_path):
    """Its first event may still be in the outbox."""
    folder = wait_there(tmp_path)
    shelf = Shelf(404)
    async with web(shelf) as stub:
        recordings = Recordings(config(tmp_path, stub.url), lambda *_: None)
        await until_empty(folder)
        await recordings.close()
    assert len(shelf.came) == 2


async def test_rubbish_is_set_aside_and_said(tmp_path):
    folder = wait_there(tmp_path)
    folder.file("call-1", PCM).write_bytes(b"")
    said: list[RecordingProblem] = []
    shelf = Shelf()
    async with web(shelf) as stub:
        recordings = Recordings(
            config(tmp_path, stub.url), lambda _, event: said.append(event.problem)
        )
        await until_empty(folder)
        await recordings.close()
    assert said == [RecordingProblem.NOT_ENCODED]
    assert shelf.came == []


async def test_a_recording_that_kills_the_encoder_is_not_tried_for_ever(tmp_path):
    folder = wait_there(tmp_path)
    facts = folder.facts("call-1")
    folder.write_facts(msgspec.structs.replace(facts, attempts=MOST_ATTEMPTS))
    said: list[RecordingProblem] = []
    async with web(Shelf()) as stub:
        recordings = Recordings(
            config(tmp_path, stub.url), lambda _, event: said.append(event.problem)
        )
        await until_empty(folder)
        await recordings.close()
    assert said == [RecordingProblem.NOT_ENCODED]
    assert (folder.path / REFUSED / f"call-1{PCM}").exists()


async def test_a_sender_that_is_killed_is_started_again(tmp_path, monkeypatch):
    monkeypatch.setattr("media_worker.recording.recordings.RESTART_SECONDS", 0.1)
    folder = wait_there(tmp_path)
    shelf = Shelf(503)
    async with web(shelf) as stub:
        recordings = Recordings(config(tmp_path, stub.url), lambda *_: None)
        await shelf.until(1)
        recordings._sender.kill()
        await until_empty(folder)
        await recordings.close()
    assert len(shelf.came) == 2
