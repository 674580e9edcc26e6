"""Recognition in child processes: pocketsphinx holds Python's lock while it works."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Final

from media_worker.sandbox.recognition.grammar import Grammar
from media_worker.sandbox.recognition.heard import Heard

if TYPE_CHECKING:
    from media_worker.sandbox.recognition.decoder import EnglishDecoder

MAX_WAITING: Final = 50
"""Utterances in the queue; more than this and a caller is told that it failed."""
MAX_SECONDS: Final = 30
"""Only so much of an utterance is listened to."""

_decoder: EnglishDecoder | None = None


class RecognitionError(Exception):
    """An utterance could not be listened to; says why."""


class Recogniser:
    """Processes start with the first utterance or `warm_up`, and are reused."""

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0

    async def warm_up(self) -> None:
        """Start the processes and load the models, about two seconds."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(self._started(), _warm_up) for _ in range(self._processes))
        )

    async def hear(self, pcm: bytes, grammar: Grammar) -> Heard:
        """Words in PCM16 mono at 8 kHz. Raises RecognitionError."""
        if self._waiting >= MAX_WAITING:
            raise RecognitionError("Too many callers speak at once for this sandbox.")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._started(), _hear, pcm[: MAX_SECONDS * 16000], grammar
            )
        except BrokenProcessPool:
            self.close()
            raise RecognitionError("The recogniser's process died.") from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # forking a process with threads and a running loop is not safe
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._processes, mp_context=context, initializer=_begin
            )
        return self._pool


def _begin() -> None:
    """Ctrl-C is for the parent; when the parent is gone, so are we."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        watch = threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True)
        watch.start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(0)


def _warm_up() -> None:
    _load()


def _load() -> EnglishDecoder:
    global _decoder
    if _decoder is None:
        from media_worker.sandbox.recognition.decoder import EnglishDecoder

        _decoder = EnglishDecoder()
    return _decoder


def _hear(pcm: bytes, grammar: Grammar) -> Heard:
    return _load().hear(pcm, grammar)
