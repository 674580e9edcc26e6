"""The sandbox's voice: sentence by sentence, kept in memory by its words."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from media_worker.audio import g711
from media_worker.contract import AudioFormat
from media_worker.speech import render

CHUNK_MS: Final = 200
PAUSE_MS: Final = 250
CACHE_BYTES: Final = 48 * 1024 * 1024
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
_BYTES_PER_MS: Final = {AudioFormat.PCMU: 8, AudioFormat.PCMA: 8, AudioFormat.PCM_24K: 48}

_Key = tuple[str, str, float, AudioFormat]


@dataclass(frozen=True)
class Chunk:
    """Up to 200 ms of speech and the words that begin in it."""

    words: tuple[str, ...]
    """Each with the space before it, so that they join to the whole text."""
    audio: bytes
    milliseconds: float


class Voice:
    """Shared by all sessions: one thread speaks, what was spoken once is kept."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voice")
        self._spoken: OrderedDict[_Key, bytes] = OrderedDict()
        self._bytes = 0

    async def speak(
        self, text: str, language: str, speed: float, fmt: AudioFormat
    ) -> AsyncIterator[Chunk]:
        """Raises SpeechError, before the first chunk of the sentence that cannot be spoken."""
        sentences = [part for part in _SENTENCE_END.split(text.strip()) if part]
        for number, sentence in enumerate(sentences):
            audio = await self._sentence((sentence, language, speed, fmt))
            if number < len(sentences) - 1:
                audio += _silence(PAUSE_MS, fmt)
            for chunk in _chunks(sentence, audio, fmt, is_first=number == 0):
                yield chunk

    async def warm_up(self) -> None:
        """Load the English voice, half a second or more."""
        await self._sentence(("Hello.", "en", 1.0, AudioFormat.PCMU))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _sentence(self, key: _Key) -> bytes:
        kept = self._spoken.get(key)
        if kept is not None:
            self._spoken.move_to_end(key)
            return kept
        loop = asyncio.get_running_loop()
        audio = await loop.run_in_executor(self._thread, _render, *key)
        if key not in self._spoken:
            self._spoken[key] = audio
            self._bytes += len(audio)
        while self._bytes > CACHE_BYTES and len(self._spoken) > 1:
            _, oldest = self._spoken.popitem(last=False)
            self._bytes -= len(oldest)
        return audio


def _render(text: str, language: str, speed: float, fmt: AudioFormat) -> bytes:
    rate = 24000 if fmt is AudioFormat.PCM_24K else 8000
    pcm = render(text, language, rate, speed=speed)
    if fmt is AudioFormat.PCMU:
        return g711.encode_mu_law(pcm)
    return g711.encode_a_law(pcm) if fmt is AudioFormat.PCMA else pcm


def _silence(milliseconds: int, fmt: AudioFormat) -> bytes:
    if fmt is AudioFormat.PCM_24K:
        return bytes(48 * milliseconds)
    return (b"\xff" if fmt is AudioFormat.PCMU else b"\xd5") * (8 * milliseconds)


def _chunks(sentence: str, audio: bytes, fmt: AudioFormat, *, is_first: bool) -> list[Chunk]:
    """Words are spread over the audio by their letters, as nothing better is known."""
    size = CHUNK_MS * _BYTES_PER_MS[fmt]
    pieces = [audio[start : start + size] for start in range(0, len(audio), size)]
    words = sentence.split()
    letters = max(1, sum(len(word) + 1 for word in words))
    chunks, said, spoken = [], 0, 0
    for number, piece in enumerate(pieces, 1):
        until = letters * number / len(pieces)
        begun: list[str] = []
        while said < len(words) and (spoken < until or number == len(pieces)):
            begun.append(words[said] if is_first and said == 0 else f" {words[said]}")
            spoken += len(words[said]) + 1
            said += 1
        chunks.append(Chunk(tuple(begun), piece, len(piece) / _BYTES_PER_MS[fmt]))
    return chunks
