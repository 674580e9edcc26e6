"""The recogniser's processes: too many callers, a process that dies, a parent that is gone."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from media_worker.sandbox import SandboxServer
from media_worker.sandbox.recognition import Grammar, Recogniser, RecognitionError
from media_worker.sandbox.recognition import pool as pool_module
from tests.media_worker.sandbox.client import connected
from tests.media_worker.sandbox.test_recognition import on_the_phone

PARENT = """
import asyncio, os, sys
from media_worker.sandbox.recognition import Recogniser
async def main():
    recogniser = Recogniser()
    await recogniser.warm_up()
    print(*recogniser._pool._processes, flush=True)
    sys.stdin.read()
if __name__ == "__main__":
    asyncio.run(main())
"""


def processes(recogniser: Recogniser) -> list[int]:
    assert recogniser._pool is not None
    return list(recogniser._pool._processes)


async def test_a_process_that_died_is_replaced() -> None:
    recogniser = Recogniser()
    await recogniser.warm_up()
    os.kill(processes(recogniser)[0], signal.SIGKILL)
    with pytest.raises(RecognitionError, match="died"):
        await recogniser.hear(on_the_phone("yes please"), Grammar())
    assert (await recogniser.hear(on_the_phone("yes please"), Grammar())).text == "yes please"
    recogniser.close()


async def test_a_caller_who_could_not_be_heard_is_told_and_asked_again() -> None:
    async with SandboxServer(pace=100) as server, connected(server) as client:
        await client.update(
            audio={
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "transcription": {"model": "gpt-transcribe"},
                }
            }
        )
        await server.warm_up()
        os.kill(processes(server._recogniser)[0], signal.SIGKILL)
        await client.say("What are your opening hours?")
        failed = "conversation.item.input_audio_transcription.failed"
        found = await client.until_all(failed, "response.done")
        assert found[failed]["error"]["code"] == "transcription_failed"
        assert "did not catch that" in client.words(found["response.done"]["response"])


async def test_too_many_callers_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "MAX_WAITING", 0)
    with pytest.raises(RecognitionError, match="Too many"):
        await Recogniser().hear(b"", Grammar())


def test_no_process_outlives_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=str(Path.cwd())),
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    watch = os.pidfd_open(child)
    parent.kill()
    parent.communicate()
    # a pidfd is readable when the process has ended
    assert has_ended(watch)
    os.close(watch)


def has_ended(watch: int) -> bool:
    readable, _, _ = select.select([watch], [], [], 20)
    return bool(readable)
