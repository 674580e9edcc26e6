"""The recordings of a worker: begun with a call, handed to the sender when it is over."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from media_worker.config import WorkerConfig
from media_worker.contract import RecordingFailed, RecordingProblem
from media_worker.recording.files import Folder
from media_worker.recording.recorder import Recorder, Recording

log = structlog.get_logger(__name__)

LAST_ROUND: Final = b"finish\n"
"""Tells the sender that the worker is stopping: one attempt for each, then end."""
RESTART_SECONDS: Final = 5.0
LAST_ROUND_SECONDS: Final = 10.0
"""For what is not sent when the worker stops; the rest goes at its next start."""
MANY_FILES: Final = 1000
MANY_BYTES: Final = 4 * 1024**3
"""So many recordings that cannot be sent are worth a word to the operator."""

Emit = Callable[[str, RecordingFailed], None]
_TOKEN_NAMES: Final = frozenset({"PBXAI_WORKER_TOKEN", "PBXAI_WORKER_TOKEN_FILE"})


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line that the sender writes on its standard output."""

    event: str
    """`stored`, `failed`, `refused`, `not_known`, `waiting`."""
    call_id: str = ""
    problem: RecordingProblem | None = None
    detail: str = ""
    retry_seconds: float = 0.0


class Recordings:
    """Make one inside a running event loop, and `close` it. `emit` takes what went wrong."""

    def __init__(self, config: WorkerConfig, emit: Emit) -> None:
        """Raises OSError when the folder cannot be used."""
        self._folder = Folder(config.recordings_folder)
        self._folder.complete_leftovers()
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in _TOKEN_NAMES},
            "PBXAI_WORKER_TOKEN": config.worker_token,
            "PBXAI_WEB_URL": config.web_url,
            "PBXAI_DATA": str(config.data),
        }
        self._emit = emit
        self._recorder = Recorder(
            self._folder, on_ready=self._on_ready, on_problem=self._on_problem
        )
        self._sender: asyncio.subprocess.Process | None = None
        self._sending: asyncio.Task[None] | None = None
        self._closing = False
        if self.unsent()[0]:
            self._on_ready()

    def begin(self, call_id: str, clock_rate: int, *, is_kept: bool = True) -> Recording:
        """`is_kept`: a file is made of it; else it is there for those who listen."""
        return self._recorder.begin(call_id, clock_rate, is_kept=is_kept)

    def unsent(self) -> tuple[int, int]:
        """Recordings that wait here: how many, and their bytes."""
        return self._folder.unsent()

    async def close(self) -> None:
        """Complete what is being written; give the sender a moment for what is not sent."""
        await self._recorder.close()
        await asyncio.sleep(0)  # what the recorder reported last
        self._closing = True
        if self._sending is None:
            return
        self._tell(LAST_ROUND)
        done, _ = await asyncio.wait({self._sending}, timeout=LAST_ROUND_SECONDS)
        if not done:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        count, _ = self.unsent()
        if count:
            log.warning("recordings.kept", count=count, folder=str(self._folder.path))

    # --- the sender ------------------------------------------------------------------------------

    def _on_ready(self) -> None:
        if self._sending is None:
            self._sending = asyncio.create_task(self._keep_sending(), name="recordings")
        else:
            self._tell(b"\n")

    def _on_problem(self, call_id: str, problem: RecordingProblem) -> None:
        self._emit(call_id, RecordingFailed(problem=problem))

    async def _keep_sending(self) -> None:
        """Until nothing is left; a sender that dies is started again."""
        try:
            while True:
                status = await self._run_sender()
                if self._closing or not self.unsent()[0]:
                    return
                if status:
                    log.error("recordings.sender_died", status=status)
                    await asyncio.sleep(RESTART_SECONDS)
        except OSError as error:
            log.error("recordings.no_sender", error=str(error))
        finally:
            self._sending = None

    async def _run_sender(self) -> int:
        """One life of it; its exit status."""
        sender = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "media_worker.recording.sender",
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the worker, which tells it
        )
        self._sender = sender
        if self._closing:
            self._tell(LAST_ROUND)
        try:
            assert sender.stdout is not None  # noqa: S101 - a pipe was asked for
            async for line in sender.stdout:
                self._note(line)
            return await sender.wait()
        finally:
            self._sender = None
            if sender.returncode is None:
                sender.kill()
                await sender.wait()

    def _tell(self, line: bytes) -> None:
        if self._sender is not None and self._sender.stdin is not None:
            self._sender.stdin.write(line)

    def _note(self, line: bytes) -> None:
        try:
            outcome = msgspec.json.decode(line, type=Outcome)
        except msgspec.MsgspecError:
            log.error("recordings.strange_line")
            return
        if outcome.problem is not None:
            log.error("recording.failed", call=outcome.call_id, detail=outcome.detail)
            self._on_problem(outcome.call_id, outcome.problem)
        elif outcome.event == "waiting":
            self._note_waiting(outcome)
        else:
            log.info("recording.sent", call=outcome.call_id, outcome=outcome.event)

    def _note_waiting(self, outcome: Outcome) -> None:
        count, size = self.unsent()
        say = log.error if count > MANY_FILES or size > MANY_BYTES else log.warning
        say(
            "recordings.waiting",
            why=outcome.detail,
            count=count,
            megabytes=size // 1_000_000,
            retry_seconds=outcome.retry_seconds,
        )
