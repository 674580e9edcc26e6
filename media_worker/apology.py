"""What a caller hears in our own voice when the provider cannot speak."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog

from media_worker.contract import Greeting
from media_worker.speech import SpeechError, render_cached

log = structlog.get_logger(__name__)


class Apologies:
    """Rendered on this machine and kept in `folder`. `spawn` runs work beside the calls."""

    def __init__(self, folder: Path, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._folder = folder
        self._spawn = spawn
        self._warm: set[Greeting] = set()

    def speaker(self, words: Greeting, clock_rate: int) -> Callable[[], Awaitable[bytes]]:
        """A function that gives 16-bit PCM. It raises SpeechError."""
        return lambda: render_cached(words.text, words.language, clock_rate, self._folder)

    def prepare(self, words: Greeting, clock_rate: int) -> None:
        """Render these words now, so that they are there when they are needed."""
        if words not in self._warm:
            self._warm.add(words)
            self._spawn(self._render(words, clock_rate))

    async def _render(self, words: Greeting, clock_rate: int) -> None:
        try:
            await self.speaker(words, clock_rate)()
        except SpeechError as error:
            self._warm.discard(words)
            log.error("worker.no_apology", language=words.language, error=str(error))
