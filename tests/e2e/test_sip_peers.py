"""Telephones that others wrote, and every transport."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from media_worker.sip.phone_process import PhoneProcess
from tests.e2e.stack import free_port
from tests.e2e.world import World, eventually

SIPP_SCENARIO = "uac"


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
        "-i", "127.0.0.1", "-p", str(free_port()), "-m", "2", "-l", "1", "-d", "3000",
        "-timeout", "40s", "-nostdin",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-2000:]
    record = await house.ended_call()
    assert record.end_cause == "caller_hung_up"
    assert world.entries(record)[0].speaker == "agent"


async def test_baresip_hears_the_agent(world: World, tmp_path: Path) -> None:
    house = world.house()
    heard = tmp_path / "heard"
    heard.mkdir()
    (tmp_path / "accounts").write_text(
        f"<sip:tester@127.0.0.1:{free_port()}>;regint=0;audio_codecs=PCMU/8000/1\n"
    )
    (tmp_path / "config").write_text(
        "poll_method epoll\nsip_listen 127.0.0.1:0\naudio_source ausine,440\n"
        "audio_player aufile,/dev/null\nmodule_path /usr/lib/baresip/modules\n"
        "module g711.so\nmodule ausine.so\nmodule aufile.so\nmodule sndfile.so\n"
        f"snd_path {heard}\nmodule_app account.so\nmodule_app menu.so\nmodule stdio.so\n"
    )
    process = await asyncio.create_subprocess_exec(
        "baresip", "-f", str(tmp_path), "-t", "8", "-e", f"/dial {house.uri}",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    record = await house.ended_call()
    assert record.answered_at is not None, text
    assert record.codec.startswith("PCMU"), text
    assert re.search(r"Call established", text), text
    entries = await eventually(lambda: world.entries(record))
    assert entries[0].speaker == "agent"
    assert any(path.stat().st_size > 20_000 for path in heard.iterdir()), "speech was recorded"
