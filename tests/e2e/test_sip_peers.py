"""Telephones that others wrote, and every transport."""

from __future__ import annotations

import asyncio
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from media_worker.sip.phone_process import PhoneProcess
from tenants.models import TranscriptEntry
from tests.e2e.people import spoken
from tests.e2e.world import World, eventually
from tests.support.ports import free_port, free_sip_port

ASKED = 5
BARESIP = """
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
audio_source aufile,{folder}/microphone.wav
audio_player aubridge,null
audio_alert aubridge,null
snd_path {folder}
"""


def understood(entries: list[TranscriptEntry]) -> list[TranscriptEntry] | None:
    """All entries, once the caller's question is among them and an answer behind it."""
    is_answered = any(
        "opening hours" in asked.text.lower() and answer.speaker == "agent" and answer.final
        for asked, answer in pairwise(entries)
        if asked.speaker == "caller"
    )
    return entries if is_answered else None


def loudest_in(folder: Path) -> float:
    """Largest amplitude that baresip recorded of the other side."""
    pcm = next(folder.glob("dump-*-dec.wav")).read_bytes()[44:]
    return float(np.abs(np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(float)).max())


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_the_greeting_is_heard_over_every_transport(world: World, transport: str) -> None:
    house = world.house()
    port = house.stack.sip_port + (1 if transport == "tls" else 0)
    to = f"sip:{house.number.number}@127.0.0.1:{port};transport={transport}"
    async with PhoneProcess() as phone:
        call = await phone.call(to)
        await call.answered()
        await call.wait_for_speech(since=0.0)
        await call.wait_for_silence()
        assert (await call.heard()).speech_ms > 1500
        await call.hang_up()
    record = await house.ended_call()
    assert record.end_cause == "caller_hung_up"
    assert record.source.upper().startswith(transport.upper())


async def test_sipp_calls_and_hangs_up(world: World, tmp_path: Path) -> None:
    house = world.house()
    process = await asyncio.create_subprocess_exec(
        "sipp", f"127.0.0.1:{house.stack.sip_port}", "-sn", "uac", "-s", house.number.number,
        "-i", "127.0.0.1", "-p", str(free_port()), "-m", "2", "-l", "1", "-d", "8000",
        "-timeout", "120s", "-nostdin",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-2000:]
    record = await house.ended_call()
    assert record.end_cause == "caller_hung_up"
    assert world.entries(record)[0].speaker == "agent"


async def test_baresip_asks_and_hears_the_agent(world: World, tmp_path: Path) -> None:
    house = world.house()
    pause = bytes(8000 * 2 * 6)
    with wave.open(str(tmp_path / "microphone.wav"), "wb") as microphone:
        microphone.setparams((1, 2, 8000, 0, "NONE", ""))
        microphone.writeframes((pause + spoken("what are your opening hours") + pause) * ASKED)
    (tmp_path / "accounts").write_text("<sip:tester@127.0.0.1>;regint=0\n")
    (tmp_path / "config").write_text(BARESIP.format(port=free_sip_port(), folder=tmp_path))
    process = await asyncio.create_subprocess_exec(
        "baresip", "-f", str(tmp_path), "-t", "150", "-e", f"/dial {house.uri}",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    call = await house.call()
    # Once of several times: a stall of the machine garbles what it says.
    entries = await eventually(
        lambda: understood(world.entries(call)), why="an answer to what baresip said"
    )
    process.terminate()
    output, _ = await process.communicate()
    record = await house.ended_call()
    assert record.codec.startswith("PCMU"), output.decode(errors="replace")
    assert record.end_cause == "caller_hung_up"
    assert [entry.speaker for entry in entries[:3]] == ["agent", "caller", "agent"]
    assert loudest_in(tmp_path) > 3000
