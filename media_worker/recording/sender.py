"""`python -m media_worker.recording.sender`: encodes recordings and sends them, one at a time.

A process of its own, so that neither costs a call anything: it runs at the lowest priority and
outside the worker's interpreter. The worker starts it when there is something to do, tells it of
new work by a line on standard input, and reads what came of it from standard output (`Outcome`,
JSON lines). It ends when it has nothing to do, or when its standard input ends, as the worker does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from time import monotonic, time
from typing import Final

import httpx
import msgspec

from media_worker.config import read_config
from media_worker.contract import RECORDING_PATH, RecordingProblem
from media_worker.recording.encode import EncodeError, encode
from media_worker.recording.files import OGG, PART, PCM, Folder
from media_worker.recording.recordings import LAST_ROUND, Outcome

IDLE_SECONDS: Final = 30.0
FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 60.0
NOT_KNOWN_SECONDS: Final = 24 * 3600.0
"""A call that the web side does not know may be in the outbox still, but not for so long."""
MOST_ATTEMPTS: Final = 3
TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0)
CHUNK_BYTES: Final = 64 * 1024
LOWEST_PRIORITY: Final = 19

_FOR_GOOD: Final = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


class Sender:
    def __init__(self, folder: Folder, client: httpx.Client) -> None:
        self._folder = folder
        self._client = client
        self._delay = FIRST_DELAY_SECONDS
        self._not_before = 0.0
        self._put_off: dict[str, float] = {}
        """Recordings that the web side knows no call for, and when to try them again."""

    def step(self) -> bool:
        """Encode one or send one; False when there is nothing to do now."""
        for call_id in self._folder.waiting(PCM):
            self._encode(call_id)
            return True
        if monotonic() < self._not_before:
            return False
        for call_id in self._folder.waiting(OGG):
            if monotonic() >= self._put_off.get(call_id, 0.0):
                self._send(call_id)
                return True
        return False

    def is_waiting(self) -> bool:
        """Something lies here still."""
        return self._folder.unsent()[0] > 0

    def next_step_in(self) -> float:
        """Seconds until `step` may have something to do again without being told."""
        if not self.is_waiting():
            return IDLE_SECONDS
        now = monotonic()
        soonest = min(self._put_off.values(), default=self._not_before)
        return min(LONGEST_DELAY_SECONDS, max(0.05, self._not_before - now, soonest - now))

    # --- encode ----------------------------------------------------------------------------------

    def _encode(self, call_id: str) -> None:
        folder = self._folder
        facts = folder.facts(call_id)
        pcm, ogg = folder.file(call_id, PCM), folder.file(call_id, OGG)
        part = folder.file(call_id, OGG + PART)
        try:
            if facts is None:
                raise EncodeError("What belongs to it is missing.")
            if facts.attempts >= MOST_ATTEMPTS:
                raise EncodeError("The encoder died of it.")
            facts = msgspec.structs.replace(facts, attempts=facts.attempts + 1)
            folder.write_facts(facts)
            duration_ms = encode(pcm, part, facts.clock_rate)
            with part.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            folder.write_facts(
                msgspec.structs.replace(facts, duration_ms=duration_ms, sha256=sha256)
            )
            part.replace(ogg)
            pcm.unlink()
        except EncodeError as error:
            folder.set_aside(call_id)
            problem = RecordingProblem.NOT_ENCODED
            self._tell(Outcome("failed", call_id, problem, str(error)))
        except OSError as error:  # a full disk, mostly: the sound stays as it is
            part.unlink(missing_ok=True)
            self._wait(f"{call_id} cannot be encoded: {error}")

    # --- send ------------------------------------------------------------------------------------

    def _send(self, call_id: str) -> None:
        folder = self._folder
        facts = folder.facts(call_id)
        ogg = folder.file(call_id, OGG)
        if facts is None:
            folder.set_aside(call_id)
            self._tell(Outcome("failed", call_id, RecordingProblem.NOT_ENCODED, "No facts."))
            return
        try:
            reply = self._client.put(
                RECORDING_PATH.format(call_id=call_id),
                params={
                    "duration_ms": facts.duration_ms,
                    "offset_ms": facts.offset_ms,
                    "sha256": facts.sha256,
                },
                headers={"Content-Type": "audio/ogg", "Content-Length": str(ogg.stat().st_size)},
                content=_pieces(ogg),
            )
        except (httpx.HTTPError, OSError) as error:
            self._wait(f"{type(error).__name__}: {error}")
            return
        self._note_reply(call_id, reply)

    def _note_reply(self, call_id: str, reply: httpx.Response) -> None:
        if reply.is_success:
            self._folder.remove(call_id)
            self._put_off.pop(call_id, None)
            self._delay = FIRST_DELAY_SECONDS
            self._tell(Outcome("stored", call_id))
        elif reply.status_code == HTTPStatus.NOT_FOUND:
            self._note_not_known(call_id)
        elif reply.status_code in _FOR_GOOD:
            kept = self._folder.set_aside(call_id)
            detail = f"The web side answered {reply.status_code}; it is kept as {kept}."
            self._tell(Outcome("refused", call_id, RecordingProblem.NOT_TAKEN, detail))
        else:
            self._wait(f"The web side answered {reply.status_code}.")

    def _note_not_known(self, call_id: str) -> None:
        age = time() - self._folder.file(call_id, OGG).stat().st_mtime
        if age > NOT_KNOWN_SECONDS:
            self._folder.remove(call_id)
            self._put_off.pop(call_id, None)
            self._tell(Outcome("not_known", call_id))
        else:
            self._put_off[call_id] = monotonic() + min(
                LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS + age
            )

    def _wait(self, why: str) -> None:
        self._tell(Outcome("waiting", detail=why, retry_seconds=self._delay))
        self._not_before = monotonic() + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)

    @staticmethod
    def _tell(outcome: Outcome) -> None:
        with suppress(BrokenPipeError):
            sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
            sys.stdout.buffer.flush()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


def serve(sender: Sender) -> None:
    """Until there is nothing to do for a while, or the worker is gone."""
    is_last_round = False
    while True:
        has_worked = sender.step()
        if is_last_round and not has_worked:
            return
        word = _was_told(0.0 if has_worked else sender.next_step_in())
        if word is None or not (has_worked or word or sender.is_waiting()):
            return
        is_last_round = is_last_round or LAST_ROUND in word


def _was_told(seconds: float) -> bytes | None:
    """What the worker wrote within that time; None when it is gone."""
    ready, _, _ = select.select([sys.stdin.fileno()], [], [], seconds)
    return (os.read(sys.stdin.fileno(), 4096) or None) if ready else b""


def main() -> int:
    config = read_config(os.environ)
    os.nice(LOWEST_PRIORITY)
    folder = Folder(config.recordings_folder)
    with (folder.path / "sender.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one that a killed worker left may be at work still
        with httpx.Client(
            base_url=config.web_url,
            headers={"Authorization": f"Bearer {config.worker_token}"},
            timeout=TIMEOUT,
            trust_env=False,
        ) as client:
            serve(Sender(folder, client))
    return 0


if __name__ == "__main__":
    sys.exit(main())
