"""`render_cached` speaks in a child process and keeps what it made."""

import asyncio
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest

from media_worker.speech import SpeechError, render, render_cached
from media_worker.speech import cache as cache_module


def kept_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_it_is_what_render_gives_and_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "spoken" / "apologies"
    pcm = await render_cached("Sorry, please call again.", "en", 8000, folder)
    assert pcm == render("Sorry, please call again.", "en", 8000)
    (kept,) = kept_in(folder)
    assert kept.read_bytes() == pcm
    assert folder.stat().st_mode & 0o077 == 0


async def test_what_is_kept_is_used(tmp_path: Path) -> None:
    await render_cached("Eins zwei drei.", "de", 8000, tmp_path)
    (kept,) = kept_in(tmp_path)
    kept.write_bytes(b"\1\0" * 80)
    assert await render_cached("Eins zwei drei.", "de", 8000, tmp_path) == b"\1\0" * 80


async def test_what_is_being_made_is_waited_for_and_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children, has_begun = [], asyncio.Event()
    start = asyncio.create_subprocess_exec

    async def counted(*command: str, **options: Any) -> asyncio.subprocess.Process:
        children.append(command)
        has_begun.set()
        return await start(*command, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", counted)
    first = asyncio.create_task(render_cached("Sorry.", "en", 8000, tmp_path))
    await has_begun.wait()
    second = asyncio.create_task(render_cached("Sorry.", "en", 8000, tmp_path))
    first.cancel()
    assert await second == render("Sorry.", "en", 8000)
    assert len(children) == 1


async def test_language_and_rate_are_part_of_the_key(tmp_path: Path) -> None:
    lengths = {
        len(await render_cached("Taxi.", language, rate, tmp_path))
        for language, rate in (("en", 8000), ("de", 8000), ("en", 16000))
    }
    assert len(lengths) == 3
    assert len(kept_in(tmp_path)) == 3


async def test_a_folder_that_cannot_be_written_costs_only_the_copy(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert await render_cached("Hello.", "en", 8000, blocked)


async def test_the_childs_complaint_comes_through(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="no voice for the language 'xx'"):
        await render_cached("Hello.", "xx", 8000, tmp_path)
    assert not kept_in(tmp_path)


async def test_a_child_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "RENDER_SECONDS", 0.01)
    with pytest.raises(SpeechError, match="not ready"):
        await render_cached("Hello.", "en", 8000, tmp_path)


def test_the_command_writes_a_wav_file(tmp_path: Path) -> None:
    path = tmp_path / "hello.wav"
    command = [sys.executable, "-m", "media_worker.speech", "--rate=8000", f"--wav={path}"]
    subprocess.run(command, input=b"Hello there.", check=True)
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.readframes(file.getnframes()) == render("Hello there.", "en", 8000)
