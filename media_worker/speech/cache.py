"""Speech made in a child process and kept on disk: a media worker never loads the models."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from media_worker.speech.words import SpeechError, check_words

VOICE_VERSION = 1
"""Part of a file's name; raise it when `render` sounds different: old files are then not used."""
RENDER_SECONDS = 60.0
PACKAGE_FOLDER = Path(__file__).resolve().parents[2]
"""Where `-m media_worker.speech` is found, wherever this process was started."""


async def render_cached(text: str, language: str, rate: int, folder: Path) -> bytes:
    """PCM16 mono at `rate` Hz, as `render` gives it, read from `folder` or made and kept there.

    Raises SpeechError. A folder that cannot be written costs the copy on disk, not the speech.
    What is being made already is waited for, not made twice.
    """
    check_words(text)
    path = folder / f"{_key(text, language, rate)}.pcm"
    kept = await asyncio.to_thread(_read, path)
    if kept:
        return kept
    making = _being_made.get(path)
    if making is None:
        making = _being_made[path] = asyncio.create_task(_make(path, text, language, rate))
        making.add_done_callback(lambda _: _being_made.pop(path, None))
    return await asyncio.shield(making)  # who no longer waits does not end it for the others


_being_made: dict[Path, asyncio.Task[bytes]] = {}


async def _make(path: Path, text: str, language: str, rate: int) -> bytes:
    pcm = await _render_in_child(text, language, rate)
    await asyncio.to_thread(_keep, path, pcm)
    return pcm


def _key(text: str, language: str, rate: int) -> str:
    return hashlib.sha256(repr((VOICE_VERSION, language, rate, text)).encode()).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _keep(path: Path, pcm: bytes) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    partial = path.with_suffix(f".{uuid4().hex}.partial")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.write_bytes(pcm)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()


async def _render_in_child(text: str, language: str, rate: int) -> bytes:
    """The words go by standard input: a command line can be read by every user of the host."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "media_worker.speech",
        f"--language={language}",
        f"--rate={rate}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=PACKAGE_FOLDER,
    )
    try:
        async with asyncio.timeout(RENDER_SECONDS):
            pcm, complaint = await child.communicate(text.encode())
    except TimeoutError:
        raise SpeechError(f"The speech was not ready after {RENDER_SECONDS:.0f} seconds.") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        last = complaint.decode(errors="replace").strip().splitlines()
        raise SpeechError(last[-1] if last else f"The speaker ended with {child.returncode}.")
    return pcm
