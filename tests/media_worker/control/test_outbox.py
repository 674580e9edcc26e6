"""The outbox keeps order, survives a kill and lets go of what was acknowledged."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import time
from pathlib import Path

import msgspec
import pytest

from media_worker.contract import CallAnswered, Record, ToolState, ToolUpdated, WorkerStarted
from media_worker.control.outbox import Outbox, OutboxError, Row

decode_record = msgspec.json.Decoder(Record).decode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "worker" / "outbox.sqlite3"


@pytest.fixture
async def outbox(path: Path):
    box = Outbox(path)
    yield box
    await box.close()


def names_beside(path: Path, pattern: str) -> list[str]:
    return [file.name for file in path.parent.glob(pattern)]


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def read(box: Outbox, after: int = 0, limit: int = 10_000) -> list[Row]:
    return await box.pending(after, limit=limit, max_bytes=10_000_000)


async def test_outbox_hands_records_out_in_the_order_of_append(outbox: Outbox):
    for number in range(500):
        outbox.append("call", CallAnswered(codec=str(number)))
    rows = await read(outbox)
    records = [decode_record(row.body) for row in rows]
    assert [row.seq for row in rows] == list(range(1, 501))
    assert [record.event.codec for record in records] == [str(number) for number in range(500)]
    assert {record.call_id for record in records} == {"call"}


async def test_outbox_announces_new_records_and_nothing_else(outbox: Outbox):
    """Who reads whenever there is something to read must not be woken by reading."""
    woken: list[int] = []
    outbox.on_commit(lambda: woken.append(outbox.last_seq))
    await read(outbox)
    outbox.acknowledge(0)
    await outbox.flush()
    assert woken == []
    for _ in range(3):
        outbox.append("call", CallAnswered())
    await outbox.flush()
    assert woken
    before = len(woken)
    await read(outbox)
    await outbox.flush()
    assert len(woken) == before


async def test_outbox_knows_how_long_its_oldest_record_waits(path: Path):
    box = Outbox(path)
    assert box.oldest_at is None
    before = time.time()
    seqs = [box.append("call", CallAnswered()) for _ in range(3)]
    between = time.time()
    assert before <= box.oldest_at <= between
    box.append("call", CallAnswered())
    assert box.oldest_at <= between
    await box.close()

    again = Outbox(path)
    assert before <= again.oldest_at <= between  # the file says so
    again.acknowledge(seqs[-1])
    await again.flush()
    assert again.oldest_at >= between
    again.acknowledge(again.last_seq)
    await again.flush()
    assert again.oldest_at is None
    await again.close()


async def test_outbox_reads_in_portions_by_number_and_by_bytes(outbox: Outbox):
    for _ in range(10):
        outbox.append("call", CallAnswered(codec="x" * 1000))
    assert [row.seq for row in await read(outbox, after=4, limit=3)] == [5, 6, 7]
    few = await outbox.pending(0, limit=10, max_bytes=2500)
    one = await outbox.pending(0, limit=10, max_bytes=10)
    assert [len(few), len(one)] == [2, 1]


async def test_outbox_deletes_what_was_acknowledged_and_never_uses_a_seq_again(path: Path):
    first = Outbox(path)
    for _ in range(5):
        first.append("call", CallAnswered())
    first.acknowledge(5)
    await first.flush()
    assert (first.depth, await read(first)) == (0, [])
    await first.close()

    second = Outbox(path)
    assert second.stream == first.stream
    assert second.append("call", CallAnswered()) == 6
    await second.close()


async def test_outbox_tells_its_listener_when_records_can_be_read(outbox: Outbox):
    told = asyncio.Event()
    outbox.on_commit(told.set)
    outbox.append("", WorkerStarted(boot_id="b"))
    await told.wait()
    assert len(await read(outbox)) == 1


async def test_outbox_keeps_everything_committed_when_its_process_is_killed(path: Path):
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.media_worker.control.outbox_child", str(path),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    committed = 0
    while committed < 300:
        committed = int(await child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    rest = await child.stdout.read()
    committed = max([committed, *(int(line) for line in rest.splitlines())])
    assert await child.wait() == -signal.SIGKILL

    survivor = Outbox(path)
    seqs = [row.seq for row in await read(survivor)]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= committed
    assert survivor.append("", CallAnswered()) == len(seqs) + 1
    await survivor.close()


@pytest.fixture
def broken(path: Path) -> Path:
    path.parent.mkdir()
    path.write_bytes(b"this was a database once" * 1000)
    return path


async def test_outbox_sets_a_broken_file_aside_and_begins_a_new_stream(broken: Path, path: Path):
    box = Outbox(broken)
    assert box.append("", CallAnswered()) == 1
    await box.flush()
    await box.close()
    assert len(names_beside(path, "outbox.sqlite3.broken-*")) == 1


async def test_outbox_keeps_a_record_set_aside_out_of_the_way(outbox: Outbox, path: Path):
    for _ in range(3):
        outbox.append("call", CallAnswered())
    outbox.set_aside(2, "not understood")
    await outbox.flush()
    assert [row.seq for row in await read(outbox)] == [1, 3]
    assert outbox.depth == 2
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT seq, reason FROM set_aside").fetchall() == [
            (2, "not understood")
        ]


async def test_outbox_refuses_a_record_that_no_frame_could_carry(outbox: Outbox):
    huge = ToolUpdated(
        tool_call_id="t", position=1, name="n", state=ToolState.FAILED, result="x" * 600_000
    )
    with pytest.raises(OutboxError, match="too long"):
        outbox.append("call", huge)
    assert outbox.append("call", CallAnswered()) == 1


async def test_outbox_refuses_an_append_after_close(path: Path):
    box = Outbox(path)
    await box.close()
    await box.close()
    with pytest.raises(OutboxError, match="closed"):
        box.append("", CallAnswered())


async def test_outbox_is_readable_by_its_owner_alone(outbox: Outbox, path: Path):
    assert mode_of(path) == 0o600


async def test_outbox_commits_what_the_disk_first_refused(outbox: Outbox, path: Path, monkeypatch):
    monkeypatch.setattr("media_worker.control.outbox.RETRY_SECONDS", 0.01)
    outbox._database.execute("PRAGMA busy_timeout = 1")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    outbox.append("call", CallAnswered())
    flushed = asyncio.ensure_future(outbox.flush())
    done, _ = await asyncio.wait({flushed}, timeout=0.1)
    assert not done
    blocker.execute("ROLLBACK")
    await flushed
    assert len(await read(outbox)) == 1
    blocker.close()
