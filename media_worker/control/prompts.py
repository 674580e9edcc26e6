"""Prompts: sound that was rendered before the call, fetched once, kept on disk and in memory.

A file is named by its SHA-256 and is used only if that is true of its bytes. What is not here in
time is fetched all the same, for the next call; this one is spoken live.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import wave
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
import numpy as np
import soxr
import structlog

from media_worker.contract import PROMPT_PATH, Prompt, PromptKind

log = structlog.get_logger(__name__)

TIMEOUT: Final = httpx.Timeout(10.0, connect=1.5)
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
"""More than five minutes at 24 kHz; nobody greets for longer."""
DISK_BYTES: Final = 256 * 1024 * 1024
MEMORY_BYTES: Final = 32 * 1024 * 1024
"""About half an hour of speech at 8 kHz."""
AT_ONCE: Final = 4
"""Fetches that run at the same time; the others wait."""

_Key = tuple[str, int]
"""Digest and clock rate."""


class PromptError(Exception):
    """A prompt that cannot be had; says why."""


class Prompts:
    """`folder` holds the files. Give `close()` its turn at the end."""

    def __init__(
        self,
        web_url: str,
        token: str,
        folder: Path,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        disk_bytes: int = DISK_BYTES,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._folder = folder
        self._disk_bytes = disk_bytes
        self._memory_bytes = memory_bytes
        self._ready: OrderedDict[_Key, bytes] = OrderedDict()
        self._size = 0
        self._under_way: dict[_Key, asyncio.Task[bytes | None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._client = httpx.AsyncClient(
            base_url=web_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,
        )

    async def within(
        self, seconds: float, prompts: Iterable[Prompt], clock_rate: int
    ) -> dict[PromptKind, bytes]:
        """Those that are there by then, as 16-bit mono PCM at `clock_rate`; never raises."""
        wanted = {prompt.kind: (prompt.digest, clock_rate) for prompt in prompts}
        tasks = {self._task(key) for key in wanted.values() if key not in self._ready}
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        found = {kind: self._known(key) for kind, key in wanted.items()}
        return {kind: pcm for kind, pcm in found.items() if pcm is not None}

    async def close(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    # --- memory ----------------------------------------------------------------------------------

    def _known(self, key: _Key) -> bytes | None:
        pcm = self._ready.get(key)
        if pcm is not None:
            self._ready.move_to_end(key)
        return pcm

    def _remember(self, key: _Key, pcm: bytes) -> None:
        self._ready[key] = pcm
        self._size += len(pcm)
        while self._size > self._memory_bytes and len(self._ready) > 1:
            _, oldest = self._ready.popitem(last=False)
            self._size -= len(oldest)

    # --- disk and network ------------------------------------------------------------------------

    def _task(self, key: _Key) -> asyncio.Task[bytes | None]:
        """One for all calls that want the same."""
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._get(key), name="prompt")
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return task

    async def _get(self, key: _Key) -> bytes | None:
        digest, clock_rate = key
        try:
            async with self._places:
                wav = await asyncio.to_thread(_read, self._path(digest), digest)
                if not wav:
                    wav = await self._fetch(digest)
                    await asyncio.to_thread(self._keep, digest, wav)
            pcm = await asyncio.to_thread(_decode, wav, clock_rate)
        except PromptError as error:
            log.warning("prompt.not_there", digest=digest[:12], why=str(error))
            return None
        self._remember(key, pcm)
        return pcm

    async def _fetch(self, digest: str) -> bytes:
        wav = bytearray()
        try:
            path = PROMPT_PATH.format(digest=digest)
            async with self._client.stream("GET", path) as response:
                if response.status_code != httpx.codes.OK:
                    raise PromptError(f"the web side answered {response.status_code}")
                async for chunk in response.aiter_bytes():
                    wav += chunk
                    if len(wav) > MAX_FILE_BYTES:
                        raise PromptError("the file is too long")
        except httpx.HTTPError as error:
            raise PromptError(type(error).__name__) from None
        if hashlib.sha256(wav).hexdigest() != digest:
            raise PromptError("the file is not the one that was asked for")
        return bytes(wav)

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not digest.isalnum():
            raise PromptError("this is no SHA-256")
        return self._folder / f"{digest}.wav"

    def _keep(self, digest: str, wav: bytes) -> None:
        """Write beside and rename, so that a reader never sees half a file; a folder that cannot
        be written costs the copy on disk, not the prompt."""
        path = self._path(digest)
        partial = path.with_suffix(f".{uuid4().hex}.partial")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.write_bytes(wav)
            partial.replace(path)
            self._make_room()
        except OSError as error:
            log.warning("prompt.not_kept", error=str(error))
            with suppress(OSError):
                partial.unlink()

    def _make_room(self) -> None:
        """Delete what was not used for longest until the rest fits."""
        files = sorted(
            ((entry.stat().st_mtime, entry.stat().st_size, entry) for entry in self._files()),
            key=lambda file: file[:2],
            reverse=True,
        )
        total = 0
        for number, (_, size, entry) in enumerate(files):
            total += size
            if number and total > self._disk_bytes:
                entry.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return [entry for entry in self._folder.iterdir() if entry.suffix in (".wav", ".partial")]


def _read(path: Path, digest: str) -> bytes:
    """A file that is whole, and is now the last used; empty where there is none."""
    try:
        wav = path.read_bytes()
        if hashlib.sha256(wav).hexdigest() == digest:
            os.utime(path)
            return wav
        path.unlink(missing_ok=True)
    except OSError:
        pass
    return b""


def _decode(wav: bytes, clock_rate: int) -> bytes:
    """16-bit mono PCM at `clock_rate`. Raises PromptError."""
    try:
        with wave.open(io.BytesIO(wav)) as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise PromptError("the file is not 16-bit mono")
            rate = file.getframerate()
            pcm: bytes = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise PromptError(f"the file is no WAV: {error}") from None
    if not pcm or not 8000 <= rate <= 48000:
        raise PromptError("the file holds no speech")
    if rate == clock_rate:
        return pcm
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")
    resampled: bytes = soxr.resample(samples, rate, clock_rate).tobytes()
    return resampled
