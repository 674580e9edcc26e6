"""Writes the recordings of all calls: one thread, each call about once a second.

The media thread puts frames into a call's tap, this thread takes them out and writes them. Neither
waits for the other, and the event loop has no part in it. A disk that is full, or about to be, ends
the recordings; the calls go on.
"""

from __future__ import annotations

import asyncio
import errno
import os
import queue
import shutil
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

import structlog

from media_worker.audio.tap import Tap
from media_worker.contract import RecordingProblem
from media_worker.recording.files import PCM, RAW, Facts, Folder

log = structlog.get_logger(__name__)

BEAT_SECONDS: Final = 0.05
SLOTS: Final = 16
"""A call's turn comes every so many beats, so the work of many calls is spread evenly."""
FREE_BYTES: Final = 256 * 1024 * 1024
"""Left to the rest of the machine: below it no recording begins and those that run end."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Report = Callable[[str, RecordingProblem], None]
Sink = Callable[[int, bytes], None]
"""Takes stereo PCM that begins so many ms after the call's answer, on the writer's thread."""


class Recording:
    """One call's. `answered` and `end` belong to the event loop, all else to the writer."""

    def __init__(
        self,
        call_id: str,
        tap: Tap,
        post: Callable[[Callable[[], None]], None],
        *,
        is_kept: bool = True,
    ) -> None:
        self.call_id = call_id
        self.tap = tap
        self.is_kept = is_kept
        """It is written to a file; else it is only listened to."""
        self.sinks: tuple[Sink, ...] = ()
        """Who listens. The event loop puts another tuple here, the writer reads it."""
        self.answered_at: float | None = None
        self.has_ended = False
        self.has_failed = False
        self.slot = 0
        self.file: int | None = None
        self._post = post

    def answered(self, at: float) -> None:
        """`time.monotonic()` of the answer: the call's clock begins there."""
        self.answered_at = at

    def end(self) -> None:
        """No more frames will come: write the rest, and hand it on."""
        self._post(self._note_end)

    def _note_end(self) -> None:
        self.has_ended = True


class Recorder:
    """Make one inside a running event loop, and `close` it.

    `on_ready` hears of each recording that is complete on disk, `on_problem` of each that could not
    be made or ends early; both on the event loop. Raises OSError when the folder cannot be used.
    """

    def __init__(
        self,
        folder: Folder,
        *,
        on_ready: Callable[[], None],
        on_problem: Report,
        free_bytes: int = FREE_BYTES,
    ) -> None:
        self._folder = folder
        self._on_ready = on_ready
        self._on_problem = on_problem
        self._free_bytes = free_bytes
        self._loop = asyncio.get_running_loop()
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._recordings: list[Recording] = []
        self._begun = 0
        self._closing = False
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def begin(self, call_id: str, clock_rate: int, *, is_kept: bool = True) -> Recording:
        """Frames may come into its tap from now on; they are kept once the call is answered, or
        only listened to."""
        recording = Recording(call_id, Tap(clock_rate), self._orders.put, is_kept=is_kept)
        self._orders.put(lambda: self._add(recording))
        return recording

    async def close(self) -> None:
        """Write what is there and end; recordings that still run end with it."""
        self._orders.put(None)
        await asyncio.to_thread(self._thread.join)

    # --- the writer's thread ---------------------------------------------------------------------

    def _write(self) -> None:
        beat, due = 0, monotonic()
        while not self._closing or self._recordings:
            self._take_orders(due)
            if monotonic() < due:
                continue
            due = max(due + BEAT_SECONDS, monotonic())
            beat += 1
            for recording in list(self._recordings):
                is_due = recording.slot == beat % SLOTS or recording.sinks
                if is_due or recording.has_ended or self._closing:
                    self._serve(recording)

    def _take_orders(self, due: float) -> None:
        """Wait for one until `due`; for ever while nothing is recorded."""
        timeout = max(0.0, due - monotonic()) if self._recordings else None
        try:
            order = self._orders.get(timeout=timeout)
        except queue.Empty:
            return
        if order is None:
            self._closing = True
        else:
            order()

    def _add(self, recording: Recording) -> None:
        self._begun += 1
        recording.slot = self._begun % SLOTS
        self._recordings.append(recording)

    def _serve(self, recording: Recording) -> None:
        is_last = recording.has_ended or self._closing
        try:
            self._store(recording, is_last=is_last)
        except OSError as error:
            self._fail(recording, error)
        if is_last:
            self._recordings.remove(recording)

    def _store(self, recording: Recording, *, is_last: bool) -> None:
        if recording.answered_at is not None:
            before_ms = recording.tap.took_ms
            pcm = recording.tap.take()
            if pcm and recording.sinks:
                _play(recording, before_ms, pcm)
            if pcm and recording.is_kept and not recording.has_failed:
                self._append(recording, pcm)
        if is_last:
            self._finish(recording)

    def _append(self, recording: Recording, pcm: bytes) -> None:
        if shutil.disk_usage(self._folder.path).free < self._free_bytes:
            raise OSError(errno.ENOSPC, "too little room is left")
        if recording.file is None:
            self._folder.write_facts(_facts(recording))
            path = self._folder.file(recording.call_id, RAW)
            recording.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        rest = memoryview(pcm)
        while rest:
            rest = rest[os.write(recording.file, rest) :]

    def _finish(self, recording: Recording) -> None:
        if recording.file is not None:
            # More ticks have shown when the first one was due, and so where the recording begins.
            self._folder.write_facts(_facts(recording))
            self._hand_on(recording)
        elif recording.is_kept and recording.answered_at is not None and not recording.has_failed:
            self._report(recording, RecordingProblem.NO_SOUND)

    def _hand_on(self, recording: Recording) -> None:
        if recording.file is None:
            return
        os.close(recording.file)
        recording.file = None
        call_id = recording.call_id
        self._folder.file(call_id, RAW).replace(self._folder.file(call_id, PCM))
        self._loop.call_soon_threadsafe(self._on_ready)

    def _fail(self, recording: Recording, error: OSError) -> None:
        """Keep what is written, take no more; the call knows nothing of it."""
        if recording.has_failed:
            return
        recording.has_failed = True
        is_full = error.errno in _FULL
        log.error("recording.stopped", call=recording.call_id, error=str(error))
        self._report(
            recording, RecordingProblem.DISK_FULL if is_full else RecordingProblem.NOT_WRITTEN
        )
        try:
            self._hand_on(recording)
        except OSError as second:
            log.error("recording.not_kept", call=recording.call_id, error=str(second))

    def _report(self, recording: Recording, problem: RecordingProblem) -> None:
        self._loop.call_soon_threadsafe(self._on_problem, recording.call_id, problem)


def _play(recording: Recording, before_ms: int, pcm: bytes) -> None:
    """To those who listen; what is wrong with one of them is no reason not to record."""
    for sink in recording.sinks:
        try:
            sink(_offset_ms(recording) + before_ms, pcm)
        except Exception:
            log.exception("recording.sink_failed", call=recording.call_id)


def _offset_ms(recording: Recording) -> int:
    """Where the recording begins, from the call's answer on."""
    began_at, answered_at = recording.tap.began_at, recording.answered_at
    offset = 0.0 if began_at is None or answered_at is None else began_at - answered_at
    return round(offset * 1000)


def _facts(recording: Recording) -> Facts:
    return Facts(
        call_id=recording.call_id,
        clock_rate=recording.tap.clock_rate,
        offset_ms=_offset_ms(recording),
    )
