"""Start and stop: ports taken, BYE to all, again and again in one process."""

import asyncio
import socket
import subprocess
import sys

import pytest

from media_worker.conversation.leg import LegAnswered
from media_worker.sip.config import ANY_ADDRESS, SipConfig, SipError
from media_worker.sip.endpoint import SipEndpoint
from media_worker.sip.engine import Engine
from tests.media_worker.sip.wire import Wire
from tests.support.ports import free_port


def endpoint(**settings) -> SipEndpoint:
    return SipEndpoint(SipConfig(rtp_port=0, **settings), lambda call: None)


async def test_stop_says_bye_to_every_call(desk, phone):
    calls = [await phone.call(desk.uri(str(number))) for number in range(3)]
    taken = [await desk.next_call() for _ in calls]
    for one in taken[:2]:
        await one.answer()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await desk.endpoint.stop()
    assert loop.time() - began < 5
    statuses = sorted([(await call.ended())[0] for call in calls])
    assert statuses == [200, 200, 503]
    for one in taken:
        assert (await one.expect(type(one.seen[-1]))).sip_status in (200, 503)


async def test_stop_is_bounded_though_the_peer_is_dead(desk):
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        dialogue = wire.dialogue()
        dialogue.invite()
        taken = await desk.next_call()
        await taken.leg.answer()
        dialogue.confirm(await wire.until(200))
        await taken.expect(LegAnswered)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await desk.endpoint.stop()  # nobody answers the BYE
        assert loop.time() - began < 8
        await wire.until("BYE")


async def test_a_port_that_is_taken_is_named():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(SipError, match=f"UDP port {port} of 127.0.0.1"):
            await endpoint(port=port).start()


async def test_a_chosen_port_that_is_taken_for_tcp_is_chosen_again(monkeypatch):
    open_transport, taken = Engine._open_transport, []

    def and_take_its_tcp(engine: Engine, name: str, *given) -> int:
        number = open_transport(engine, name, *given)
        if name == "udp" and len(taken) < 2:
            taken.append(socket.create_server(("127.0.0.1", engine.ports["udp"])))
        return number

    monkeypatch.setattr(Engine, "_open_transport", and_take_its_tcp)
    one = endpoint(port=0)
    try:
        await one.start()
        refused = {server.getsockname()[1] for server in taken}
        assert len(refused) == 2
        assert one.ports["udp"] == one.ports["tcp"] not in refused
        async with Wire(one.ports["udp"]) as wire:
            wire.dialogue().send("OPTIONS")
            await wire.until(200)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as given_back:
            given_back.bind(taken[0].getsockname())
    finally:
        await one.stop()
        for server in taken:
            server.close()


async def test_an_address_that_is_not_ours_is_named():
    with pytest.raises(SipError, match=r"192\.0\.2\.1"):
        await endpoint(port=free_port(), address="192.0.2.1").start()


async def test_a_codec_that_the_build_does_not_know_is_named():
    with pytest.raises(SipError, match="no codec nonsense"):
        await endpoint(port=free_port(), codecs=("PCMU", "nonsense")).start()


async def test_a_second_endpoint_in_the_process_is_refused(desk):
    with pytest.raises(SipError, match="one SIP endpoint a process"):
        await endpoint(port=free_port()).start()


async def test_start_and_stop_many_times():
    port = free_port()
    for _ in range(5):
        one = endpoint(port=port)
        await one.start()
        async with Wire(port) as wire:
            wire.dialogue().send("OPTIONS")
            await wire.until(200)
        await one.stop()
        await one.stop()


async def test_what_is_known_after_the_start(desk):
    port = desk.endpoint.ports["udp"]
    assert desk.endpoint.addresses == (
        f"sip:127.0.0.1:{port};transport=udp",
        f"sip:127.0.0.1:{port};transport=tcp",
    )
    assert desk.endpoint.build[0].isdigit()
    assert 4 <= desk.endpoint.capacity <= 512


async def test_a_leg_of_a_stopped_endpoint_answers_in_words(desk):
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        wire.dialogue().invite()
        taken = await desk.next_call()
        await desk.endpoint.stop()
        await taken.ended()
        await taken.leg.answer()
        await taken.leg.hang_up()
        outcome = await taken.leg.transfer("sip:b@example.org", timeout_seconds=1)
        assert outcome.sip_status == 481


def test_a_process_that_stops_with_calls_ends_well(tmp_path):
    """The whole life in a process of its own: exit status 0 and nothing from the library."""
    script = """
import asyncio
from media_worker.sip.config import SipConfig
from media_worker.sip.endpoint import SipEndpoint
from media_worker.sip.phone_process import PhoneProcess

async def main():
    calls = asyncio.Queue()
    endpoint = SipEndpoint(SipConfig(port=PORT, rtp_port=0), calls.put_nowait)
    await endpoint.start()
    async with PhoneProcess() as phone:
        for number in range(3):
            call = await phone.call(f"sip:{number}@127.0.0.1:PORT")
            incoming = await calls.get()
            await incoming.leg.answer()
            await call.answered()
        await endpoint.stop()

asyncio.run(main())
""".replace("PORT", str(free_port()))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_a_process_that_forgets_to_stop_still_says_bye(phone):
    """It ends by an exception; the library neither aborts it nor leaves the caller hanging."""
    script = """
import asyncio
from media_worker.sip.config import SipConfig
from media_worker.sip.endpoint import SipEndpoint

async def main():
    calls = asyncio.Queue()
    endpoint = SipEndpoint(SipConfig(port=PORT, rtp_port=0), calls.put_nowait)
    await endpoint.start()
    print("up", flush=True)
    incoming = await calls.get()
    await incoming.leg.answer()
    async for event in incoming.leg.events():
        raise SystemExit(7)

asyncio.run(main())
"""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script.replace("PORT", str(port)), stdout=subprocess.PIPE
    )
    assert await process.stdout.readline() == b"up\n"
    call = await phone.call(f"sip:1@127.0.0.1:{port}")
    await call.answered()
    assert (await call.ended())[0] == 200
    assert await asyncio.wait_for(process.wait(), 60) == 7


async def test_listening_on_all_addresses_names_one_that_can_be_reached():
    one = endpoint(port=free_port(), address=ANY_ADDRESS)
    await one.start()
    try:
        assert ANY_ADDRESS not in one.addresses[0]
        host, port = one.addresses[0].removeprefix("sip:").partition(";")[0].split(":")
        with socket.create_connection((host, int(port)), timeout=5):
            pass
    finally:
        await one.stop()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"port": 70000}, "port"),
        ({"max_calls": 0}, "max_calls"),
        ({"clock_rate": 44100}, "clock_rate"),
        ({"tls_port": 5061}, "certificate"),
    ],
)
def test_settings_that_make_no_sense(given, complaint):
    with pytest.raises(SipError, match=complaint):
        SipConfig(**given)


async def test_a_port_is_looked_for_when_none_is_given():
    one = endpoint(port=0)
    await one.start()
    try:
        assert one.ports["udp"] == one.ports["tcp"] != 0
    finally:
        await one.stop()
