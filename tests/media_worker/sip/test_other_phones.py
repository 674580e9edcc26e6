"""Phones that are not ours: Debian's baresip and sipp call the endpoint."""

import asyncio
import wave
from pathlib import Path

import pytest

from media_worker.conversation.leg import LegAnswered
from tests.media_worker.audio.signals import loudest_hz, tone
from tests.support.ports import free_port, free_sip_port

BARESIP_CONFIG = """
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
rtp_ports 30000-39998
module_path /usr/lib/baresip/modules
module g711.so
module srtp.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
audio_source aufile,{folder}/question.wav
audio_player aubridge,null
audio_alert aubridge,null
snd_path {folder}
"""


def write_wav(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm)


def read_wav(path: Path) -> bytes:
    """Frames of a file whose header may not know its length yet (44 bytes, then samples)."""
    return path.read_bytes()[44:]


@pytest.mark.parametrize(
    ("transport", "account"),
    [("udp", ""), ("tcp", ""), ("tls", ";mediaenc=srtp-mand")],
    ids=["udp", "tcp", "tls-srtp"],
)
async def test_baresip_talks_and_listens(open_desk, tmp_path, transport, account):
    desk = await open_desk(tls=transport == "tls")
    write_wav(tmp_path / "question.wav", tone(1000, 5000))
    config = BARESIP_CONFIG.format(port=free_sip_port(), folder=tmp_path)
    (tmp_path / "config").write_text(config)
    line = f"<sip:bare@127.0.0.1;transport={transport}>;regint=0{account}\n"
    (tmp_path / "accounts").write_text(line)
    uri = f"sip:100@127.0.0.1:{desk.endpoint.ports[transport]}"
    baresip = await asyncio.create_subprocess_exec(
        "baresip", "-f", str(tmp_path), "-e", f"/dial {uri}", "-t", "30",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        taken = await desk.next_call()
        assert taken.incoming.calling == "bare"
        assert await taken.answer() == LegAnswered("PCMU/8000")
        taken.play(tone(700, 1500))
        heard = await taken.capture(1500)
        assert loudest_hz(heard[8000:16000]) == pytest.approx(1000, abs=10)
        await taken.leg.hang_up()
        await taken.ended()
    finally:
        if baresip.returncode is None:
            baresip.terminate()
        await baresip.communicate()
    (played,) = tmp_path.glob("dump-*-dec.wav")
    speech = read_wav(played)
    assert loudest_hz(speech[4800:16800]) == pytest.approx(700, abs=10)


async def test_sipp_s_callers_are_served_one_after_the_other(desk, tmp_path):
    """The built-in caller: INVITE, ACK, half a second, BYE; sipp checks each answer."""
    calls = 6
    sipp = await asyncio.create_subprocess_exec(
        "sipp", "-sn", "uac", "-s", "100", "-i", "127.0.0.1", "-p", str(free_port()),
        "-m", str(calls), "-l", "2", "-d", "500", "-timeout", "40", "-nostdin",
        f"127.0.0.1:{desk.endpoint.ports['udp']}",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        served = []
        for _ in range(calls):
            taken = await desk.next_call()
            await taken.leg.answer()
            served.append(taken)
        for taken in served:
            assert (await taken.ended()).by_caller
    finally:
        output, _ = await asyncio.wait_for(sipp.communicate(), 45)
    assert sipp.returncode == 0, output.decode()[-2000:]
