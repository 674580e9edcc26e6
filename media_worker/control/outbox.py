"""The worker's durable outbox: what happened, on disk until the web side has stored it.

One SQLite file (WAL, synchronous=FULL) owned by one writer thread. `append` costs the event loop
an encoding and a queue put; the thread commits whatever has gathered in one transaction, in order.
A process that is killed loses at most what was appended within `COMMIT_GAP_SECONDS` before. Rows
leave when they are acknowledged; nothing else bounds the file but the disk.

`(stream, seq)` identifies a record for ever: the stream's uuid is stored in the file, and a seq is
never used twice because only committed records are ever handed out.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import structlog

from media_worker.contract import AnyEvent, Record, encode

log = structlog.get_logger(__name__)

COMMIT_GAP_SECONDS: Final = 0.02
RETRY_SECONDS: Final = 1.0
"""Between attempts while the disk refuses to take a batch."""
BATCH_OPERATIONS: Final = 1000
MAX_RECORD_BYTES: Final = 512 * 1024
"""Half of the longest link frame; a conversation bounds its own texts far below."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS set_aside (seq INTEGER, body BLOB NOT NULL, reason TEXT, at REAL);
"""

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], Callable[[], None] | None]
"""Runs on the writer thread inside the transaction; what it returns runs after the commit."""


class OutboxError(Exception):
    """The outbox cannot be used: its file cannot be opened, or it has been closed."""


class Row(msgspec.Struct, frozen=True):
    seq: int
    body: bytes
    """The encoded `Record`."""


class _Moment(msgspec.Struct):
    """Of a `Record`, only when it was."""

    at: float


_decode_moment: Final = msgspec.json.Decoder(_Moment).decode


class Outbox:
    """Open one inside a running event loop; all methods belong to that loop's thread."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._operations: queue.SimpleQueue[Operation | None] = queue.SimpleQueue()
        self._listeners: list[Callable[[], None]] = []
        self._closed = False
        self._database = _open(path)
        self.stream = _stream_of(self._database)
        self._last_seq = _number(
            self._database, "SELECT max(seq) FROM sqlite_sequence WHERE name = 'records'"
        )
        self._found = _number(self._database, "SELECT count(*) FROM records")
        self._appended = 0
        self._removed = 0
        self._oldest_at = _oldest(self._database)
        self._emptied = asyncio.Event()
        self._thread = threading.Thread(target=self._write, name="outbox", daemon=True)
        self._thread.start()

    @property
    def last_seq(self) -> int:
        return self._last_seq

    @property
    def depth(self) -> int:
        """Records that the web side has not acknowledged."""
        return self._found + self._appended - self._removed

    @property
    def oldest_at(self) -> float | None:
        """Unix seconds of the oldest record that is not acknowledged; None when there is none."""
        return self._oldest_at if self.depth else None

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Have `listener` called on the loop whenever new records can be read."""
        self._listeners.append(listener)

    def append(self, call_id: str, event: AnyEvent) -> int:
        """Put an event at the end; returns its seq. Does not wait for the disk."""
        self._refuse_when_closed()
        seq = self._last_seq + 1
        now = time.time()
        body = encode(Record(seq=seq, at=now, call_id=call_id, event=event))
        if len(body) > MAX_RECORD_BYTES:
            raise OutboxError(f"A {type(event).__name__} of {len(body)} bytes is too long to send.")
        self._last_seq = seq
        if not self.depth:
            self._oldest_at = now
        self._appended += 1
        self._emptied.clear()

        def insert(database: sqlite3.Connection) -> Callable[[], None]:
            database.execute("INSERT INTO records (seq, body) VALUES (?, ?)", (seq, body))
            return self._announce

        self._operations.put(insert)
        return seq

    async def pending(self, after: int, *, limit: int, max_bytes: int) -> list[Row]:
        """Committed records that follow `after`, at least one if there is one."""

        def read(database: sqlite3.Connection) -> list[Row]:
            rows: list[Row] = []
            size = 0
            for seq, body in database.execute(
                "SELECT seq, body FROM records WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            ):
                size += len(body) + 1
                if rows and size > max_bytes:
                    break
                rows.append(Row(seq, body))
            return rows

        return await self._ask(read)

    def acknowledge(self, seq: int) -> None:
        """The web side has stored everything up to `seq`: drop it here."""

        def delete(database: sqlite3.Connection) -> Callable[[], None]:
            removed = database.execute("DELETE FROM records WHERE seq <= ?", (seq,)).rowcount
            oldest = _oldest(database)
            return lambda: self._count_removed(removed, oldest)

        self._operations.put(delete)

    def set_aside(self, seq: int, reason: str) -> None:
        """Keep a record that the web side cannot read out of the way of those after it."""

        def move(database: sqlite3.Connection) -> Callable[[], None]:
            database.execute(
                "INSERT INTO set_aside SELECT seq, body, ?, ? FROM records WHERE seq = ?",
                (reason, time.time(), seq),
            )
            removed = database.execute("DELETE FROM records WHERE seq = ?", (seq,)).rowcount
            oldest = _oldest(database)
            return lambda: self._count_removed(removed, oldest)

        self._operations.put(move)

    async def start_new_stream(self) -> None:
        """For a file older than what the web side has stored: its seqs must not be used again."""
        stream = str(uuid.uuid4())

        def rename(database: sqlite3.Connection) -> None:
            database.execute("UPDATE meta SET value = ? WHERE key = 'stream'", (stream,))

        await self._ask(rename)
        self.stream = stream

    async def flush(self) -> None:
        """Return when all that was appended so far is on disk."""
        await self._ask(lambda _database: None)

    async def emptied(self) -> None:
        """Return when all that was appended so far is acknowledged or set aside."""
        if self.depth:
            await self._emptied.wait()

    async def close(self) -> None:
        """Commit what is left and let go of the file; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._operations.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    async def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        self._refuse_when_closed()
        answer: asyncio.Future[T] = self._loop.create_future()

        def run(database: sqlite3.Connection) -> Callable[[], None]:
            result = question(database)
            return lambda: _settle(answer, result)

        self._operations.put(run)
        return await answer

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise OutboxError("The outbox is closed.")

    def _count_removed(self, count: int, oldest_at: float | None) -> None:
        self._removed += count
        # None: what is left, if any, came in this moment and is not on disk yet
        self._oldest_at = time.time() if oldest_at is None else oldest_at
        if not self.depth:
            self._emptied.set()

    # --- the writer thread -----------------------------------------------------------------------

    def _write(self) -> None:
        open_ = True
        while open_:
            batch = self._gather()
            open_ = batch[-1] is not None
            self._commit([operation for operation in batch if operation is not None])
            if open_ and self._operations.empty():
                time.sleep(COMMIT_GAP_SECONDS)  # let a batch gather: one fsync for all of it
        self._database.close()

    def _gather(self) -> list[Operation | None]:
        """Wait for an operation, then take what else is there; None, the end, is always last."""
        batch = [self._operations.get()]
        while batch[-1] is not None and len(batch) < BATCH_OPERATIONS:
            try:
                batch.append(self._operations.get_nowait())
            except queue.Empty:
                break
        return batch

    def _commit(self, operations: list[Operation]) -> None:
        """All of it in one transaction, tried until the disk takes it or the outbox is closed."""
        while operations:
            try:
                with self._database:
                    self._database.execute("BEGIN IMMEDIATE")
                    answers = [operation(self._database) for operation in operations]
            except sqlite3.Error as error:
                log.error("outbox.commit_failed", error=str(error), operations=len(operations))
                if self._closed:
                    return
                time.sleep(RETRY_SECONDS)
            else:
                self._report([answer for answer in answers if answer is not None])
                return

    def _report(self, answers: list[Callable[[], None]]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._deliver, answers)

    def _deliver(self, answers: list[Callable[[], None]]) -> None:
        for answer in dict.fromkeys(answers):  # many records are announced once
            answer()

    def _announce(self) -> None:
        for listener in self._listeners:
            listener()


def _settle(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _open(path: Path) -> sqlite3.Connection:
    """The database at `path`; a file that is not sound is kept under another name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if not path.exists():
            raise OutboxError(f"The outbox {path} cannot be made: {error}") from error
        broken = path.with_name(f"{path.name}.broken-{int(time.time())}")
        path.rename(broken)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(f"{broken}{suffix}")
        log.error("outbox.broken", error=str(error), kept_as=str(broken))
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=20)
    try:
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        database.execute("PRAGMA journal_mode = WAL")
        # FULL: after a power cut a seq that the web side has seen must not be given out again.
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(SCHEMA)
        path.chmod(0o600)
    except BaseException:
        database.close()
        raise
    return database


def _stream_of(database: sqlite3.Connection) -> str:
    database.execute(
        "INSERT OR IGNORE INTO meta (key, value) VALUES ('stream', ?)", (str(uuid.uuid4()),)
    )
    (stream,) = database.execute("SELECT value FROM meta WHERE key = 'stream'").fetchone()
    return str(stream)


def _oldest(database: sqlite3.Connection) -> float | None:
    """When the first record was made; None when there is none, or it cannot be read."""
    row = database.execute("SELECT body FROM records ORDER BY seq LIMIT 1").fetchone()
    try:
        return _decode_moment(row[0]).at if row else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _number(database: sqlite3.Connection, question: str) -> int:
    (value,) = database.execute(question).fetchone()
    return int(value or 0)
