"""Prompts fetched over real HTTP, kept on disk and in memory."""

from __future__ import annotations

import asyncio
import hashlib
import io
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from media_worker.contract import Prompt, PromptKind
from media_worker.control.prompts import Prompts
from tests.media_worker.control.web_stub import HttpStub

SECONDS = 30.0
"""Long enough for what is there."""


def wav_of(ms: int, rate: int = 24000, pitch: float = 440.0, *, channels: int = 1) -> bytes:
    time = np.arange(ms * rate // 1000) / rate
    samples = (np.sin(2 * np.pi * pitch * time) * 8000).astype("<i2")
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, channels).tobytes())
    return made.getvalue()


def prompt_of(wav: bytes, kind: PromptKind = PromptKind.GREETING) -> Prompt:
    digest = hashlib.sha256(wav).hexdigest()
    return Prompt(kind=kind, language="en", text="Hello.", digest=digest, duration_ms=1000)


HELLO = wav_of(1000)
GREETING = prompt_of(HELLO)


def kept_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir()}


@asynccontextmanager
async def prompts_at(web: HttpStub, folder: Path, **limits: int) -> AsyncIterator[Prompts]:
    made = Prompts(web.url, "worker-token", folder, **limits)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prompts"


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
async def test_a_prompt_comes_at_the_rate_of_the_call(folder: Path, rate: int) -> None:
    async with HttpStub((200, HELLO)) as web, prompts_at(web, folder) as prompts:
        found = await prompts.within(SECONDS, [GREETING], rate)
    pcm = np.frombuffer(found[PromptKind.GREETING], "<i2").astype(float)
    assert abs(len(pcm) - rate) <= rate // 100, "a second of it"
    spectrum = np.abs(np.fft.rfft(pcm))
    assert abs(np.argmax(spectrum) * rate / len(pcm) - 440) < 5, "the same tone"
    [(path, headers, _)] = web.requests
    assert path == f"/api/worker/v1/prompts/{GREETING.digest}"
    assert headers["authorization"] == "Bearer worker-token"


async def test_it_is_fetched_once_for_all_calls(folder: Path) -> None:
    async with HttpStub((200, HELLO)) as web, prompts_at(web, folder) as prompts:
        both = await asyncio.gather(*(prompts.within(SECONDS, [GREETING], 8000) for _ in range(20)))
        again = await prompts.within(0.0, [GREETING], 8000)
    assert len(web.requests) == 1
    assert all(found == again for found in both)
    assert again[PromptKind.GREETING]


async def test_the_next_process_reads_it_from_disk(folder: Path) -> None:
    async with HttpStub((200, HELLO)) as web:
        async with prompts_at(web, folder) as prompts:
            await prompts.within(SECONDS, [GREETING], 8000)
        async with prompts_at(web, folder) as prompts:
            assert await prompts.within(SECONDS, [GREETING], 16000)
        assert len(web.requests) == 1


async def test_a_file_that_was_damaged_is_fetched_anew(folder: Path) -> None:
    kept = folder / f"{GREETING.digest}.wav"
    async with HttpStub((200, HELLO)) as web:
        async with prompts_at(web, folder) as prompts:
            await prompts.within(SECONDS, [GREETING], 8000)
        kept.write_bytes(HELLO[:-100])
        async with prompts_at(web, folder) as prompts:
            assert await prompts.within(SECONDS, [GREETING], 8000)
        assert len(web.requests) == 2
    assert kept.read_bytes() == HELLO


NOT_A_WAV = b"RIFF, they said"


@pytest.mark.parametrize(
    ("answer", "digest_of"),
    [
        ((404, b"{}"), HELLO),
        ((503, b"{}"), HELLO),
        ((200, wav_of(900)), HELLO),
        ((200, NOT_A_WAV), NOT_A_WAV),
        ((200, stereo := wav_of(100, channels=2)), stereo),
        (None, HELLO),
    ],
    ids=["unknown", "down", "another file", "no sound", "stereo", "hung up"],
)
async def test_what_cannot_be_had_is_not_there(
    folder: Path, answer: tuple[int, bytes] | None, digest_of: bytes
) -> None:
    async with HttpStub(answer) as web, prompts_at(web, folder) as prompts:
        assert await prompts.within(SECONDS, [prompt_of(digest_of)], 8000) == {}


async def test_a_digest_is_no_path(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(HELLO)
    prompt = Prompt(
        kind=PromptKind.GREETING, language="en", text="x", digest="../secret", duration_ms=1
    )
    async with HttpStub((200, HELLO)) as web, prompts_at(web, folder) as prompts:
        assert await prompts.within(SECONDS, [prompt], 8000) == {}
        assert web.requests == []


async def test_what_comes_late_is_there_for_the_next_call(folder: Path) -> None:
    async with slow_web(HELLO) as (url, let_go), prompts_at_url(url, folder) as prompts:
        assert await prompts.within(0.05, [GREETING], 8000) == {}
        let_go()
        found = await prompts.within(SECONDS, [GREETING], 8000)
    assert list(found) == [PromptKind.GREETING]


async def test_one_that_fails_does_not_keep_the_other(folder: Path) -> None:
    consent = prompt_of(wav_of(500, pitch=300), PromptKind.CONSENT)
    async with HttpStub((200, HELLO)) as web, prompts_at(web, folder) as prompts:
        found = await prompts.within(SECONDS, [consent, GREETING], 8000)
    assert list(found) == [PromptKind.GREETING]


async def test_the_folder_keeps_what_was_used_last(folder: Path) -> None:
    sounds = [wav_of(100, pitch=300 + 50 * number) for number in range(4)]
    limit = len(sounds[0]) * 2 + 10
    answers = [(200, sound) for sound in sounds]
    async with HttpStub(*answers) as web, prompts_at(web, folder, disk_bytes=limit) as prompts:
        for sound in sounds:
            await prompts.within(SECONDS, [prompt_of(sound)], 8000)
    kept = kept_in(folder)
    assert kept == {prompt_of(sound).digest for sound in sounds[2:]}


async def test_memory_keeps_what_was_used_last(folder: Path) -> None:
    sounds = [wav_of(100, rate=8000, pitch=300 + 50 * number) for number in range(3)]
    one = 100 * 16
    answers = [(200, sound) for sound in sounds]
    async with HttpStub(*answers) as web, prompts_at(web, folder, memory_bytes=2 * one) as prompts:
        for sound in sounds:
            await prompts.within(SECONDS, [prompt_of(sound)], 8000)
        newest, newer, oldest = [
            await prompts.within(0.0, [prompt_of(sound)], 8000) for sound in reversed(sounds)
        ]
    assert newest
    assert newer
    assert not oldest


async def test_a_folder_that_cannot_be_written_costs_the_copy_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    async with HttpStub((200, HELLO)) as web, prompts_at(web, blocked) as prompts:
        assert await prompts.within(SECONDS, [GREETING], 8000)


@asynccontextmanager
async def slow_web(wav: bytes) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """A web side that answers when it is let go."""
    may_answer = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await may_answer.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(wav) + wav)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", may_answer.set
    finally:
        server.close()


@asynccontextmanager
async def prompts_at_url(url: str, folder: Path) -> AsyncIterator[Prompts]:
    made = Prompts(url, "worker-token", folder)
    try:
        yield made
    finally:
        await made.close()
