"""Blind transfer by REFER: to a target that really answers or refuses, and with odd peers."""

import asyncio

import pytest

from media_worker.conversation.leg import LegAnswered
from tests.media_worker.audio.signals import loudest_hz, tone
from tests.media_worker.sip.wire import Wire


async def test_the_caller_is_connected_to_the_target(talking, phone, open_phone):
    call, taken = talking
    sales = await open_phone(user="sales")
    target = f"sip:sales@127.0.0.1:{sales.ports['udp']}"
    outcome = await taken.leg.transfer(target, timeout_seconds=10)
    assert (outcome.succeeded, outcome.sip_status) == (True, 200)
    arrived = await sales.incoming()
    assert (await phone.event("transfer_requested"))["target"].strip("<>") == target
    await taken.leg.hang_up()
    await call.ended()
    assert (await taken.ended()).by_caller is False

    event = await sales.event("incoming")
    assert event["called"] == "sales"
    second = (await phone.event("transfer_requested"))["new_call"]
    await phone.event("answered", call=second)
    hello = tone(800, 600)
    await arrived.play(hello)
    listening = type(call)(phone, second, "")
    await listening.wait_for_silence(silence_ms=300)
    assert loudest_hz((await listening.heard()).pcm) == pytest.approx(800, abs=10)


async def test_the_target_is_busy(talking, open_phone):
    _, taken = talking
    busy = await open_phone(answers=486)
    outcome = await taken.leg.transfer(
        f"sip:sales@127.0.0.1:{busy.ports['udp']}", timeout_seconds=10
    )
    assert (outcome.succeeded, outcome.sip_status) == (False, 486)
    assert [type(event) for event in taken.seen] == [LegAnswered]  # the call goes on
    await taken.capture(100)


async def test_the_phone_does_not_do_transfers(desk, open_phone):
    phone = await open_phone(obeys_refer=False)
    call = await phone.call(desk.uri())
    taken = await desk.next_call()
    await taken.answer()
    outcome = await taken.leg.transfer("sip:sales@127.0.0.1:9", timeout_seconds=10)
    assert (outcome.succeeded, outcome.sip_status) == (False, 603)
    await call.hang_up()


@pytest.mark.parametrize("uri", ["", "sales", "mailto:x@y.z", "sip:a@b\r\nX-Evil: 1", "sip:"])
async def test_what_is_no_sip_address_is_said_to_be_none(talking, uri):
    _, taken = talking
    outcome = await taken.leg.transfer(uri, timeout_seconds=10)
    assert (outcome.succeeded, outcome.sip_status) == (False, 400)
    assert "not a SIP address" in outcome.reason


class Peer:
    """A caller by hand whose answers to REFER we choose."""

    def __init__(self, wire, desk) -> None:
        self.wire, self.desk = wire, desk

    async def call(self):
        self.dialogue = self.wire.dialogue()
        self.dialogue.invite()
        self.taken = await self.desk.next_call()
        await self.taken.leg.answer()
        self.dialogue.confirm(await self.wire.until(200))
        await self.taken.expect(LegAnswered)
        return self.taken

    def transfer(self, seconds: float):
        leg = self.taken.leg
        return asyncio.create_task(leg.transfer("sip:sales@example.org", timeout_seconds=seconds))

    async def respond(self, status: str, extra: str = ""):
        """To the REFER."""
        refer = await self.wire.until("REFER")
        lines = [f"SIP/2.0 {status}"]
        lines += [
            f"{n}: {v}"
            for n, v in refer.headers
            if n.lower() in ("via", "from", "to", "call-id", "cseq")
        ]
        contact = f"Contact: <sip:ann@127.0.0.1:{self.wire.port}>"
        self.wire.send("\r\n".join([*lines, contact]) + f"\r\n{extra}Content-Length: 0\r\n\r\n")
        return refer

    def notify(self, fragment: str, state: str) -> None:
        self.dialogue.cseq += 1
        headers = (
            f"Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n"
        )
        self.dialogue.send("NOTIFY", fragment, extra=headers)


@pytest.fixture
async def peer(desk):
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        peer = Peer(wire, desk)
        await peer.call()
        yield peer


async def test_notifies_are_followed_to_the_last(peer):
    transfer = peer.transfer(5)
    refer = await peer.respond("202 Accepted")
    assert "sip:sales@example.org" in refer["Refer-To"]
    peer.notify("SIP/2.0 100 Trying\r\n", "active;expires=60")
    assert (await peer.wire.until(200)).method == "NOTIFY"
    assert not transfer.done()
    peer.notify("SIP/2.0 404 Nobody here\r\n", "terminated;reason=noresource")
    outcome = await transfer
    assert (outcome.succeeded, outcome.sip_status) == (False, 404)
    assert outcome.reason == "Nobody here"


async def test_a_refer_that_is_refused(peer):
    transfer = peer.transfer(5)
    await peer.respond("403 Forbidden")
    outcome = await transfer
    assert (outcome.succeeded, outcome.sip_status) == (False, 403)


async def test_no_news_in_time_is_408(peer):
    transfer = peer.transfer(0.3)
    await peer.respond("202 Accepted")
    outcome = await transfer
    assert (outcome.succeeded, outcome.sip_status) == (False, 408)


async def test_the_caller_hangs_up_after_accepting(peer):
    transfer = peer.transfer(5)
    await peer.respond("202 Accepted")
    peer.notify("SIP/2.0 100 Trying\r\n", "active;expires=60")
    await peer.wire.until(200)
    peer.dialogue.bye()
    outcome = await transfer
    assert (outcome.succeeded, outcome.sip_status) == (False, 202)
    assert (await peer.taken.ended()).by_caller


async def test_no_second_transfer_while_one_is_under_way(peer):
    transfer = peer.transfer(0.3)
    await peer.wire.until("REFER")
    second = await peer.taken.leg.transfer("sip:b@example.org", timeout_seconds=5)
    assert (second.succeeded, second.sip_status) == (False, 491)
    assert (await transfer).sip_status == 408


async def test_a_call_that_is_over_cannot_be_transferred(peer):
    peer.dialogue.bye()
    await peer.taken.ended()
    outcome = await peer.taken.leg.transfer("sip:b@example.org", timeout_seconds=5)
    assert (outcome.succeeded, outcome.sip_status) == (False, 481)
