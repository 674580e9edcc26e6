"""What the endpoint says on the wire, to a peer that sends every message by hand."""

import asyncio

import pytest

from media_worker.conversation.leg import LegAnswered, LegDtmf, LegEnded
from tests.media_worker.sip.wire import OPUS_ONLY, PCMU, Wire


@pytest.fixture
async def wire(desk):
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        yield wire


async def test_an_invite_rings_at_once_and_is_read(desk, wire):
    dialogue = wire.dialogue("%2B49%2030;phone-context=x")
    dialogue.invite(extra="X-Odd: a\r\n b\r\nX-Odd: c\r\nAuthorization: Digest secret\r\n")
    assert (await wire.next()).status == 100
    assert (await wire.next()).status == 180
    incoming = (await desk.next_call()).incoming
    assert incoming.called == "+49 30"
    assert (incoming.calling, incoming.calling_name) == ("+4989555", 'Ann "A" Caller')
    assert incoming.sip_call_id == dialogue.call_id
    assert incoming.source == f"UDP:127.0.0.1:{wire.port}"
    assert incoming.headers["X-Odd"] == "a b, c"
    assert "Authorization" not in incoming.headers
    await incoming.refuse(404)
    assert (await wire.until(404))["Retry-After"] == ""


async def test_refused_with_retry_after_and_reason(desk, wire):
    dialogue = wire.dialogue()
    dialogue.invite()
    taken = await desk.next_call()
    await taken.incoming.refuse(503, retry_after=5, reason="Worker draining")
    response = await wire.until(503)
    assert response.start == "SIP/2.0 503 Worker draining"
    assert response["Retry-After"] == "5"
    dialogue.refused(response)
    ended = await taken.ended()
    assert (ended.by_caller, ended.sip_status) == (False, 503)


async def test_a_retransmitted_invite_is_one_call(desk, wire):
    dialogue = wire.dialogue()
    dialogue.invite()
    taken = await desk.next_call()
    await wire.until(180)
    wire.send(dialogue.request("INVITE", PCMU))
    await wire.until(180)  # answered again from the transaction
    assert desk.calls.empty()
    await taken.incoming.refuse(480)
    dialogue.refused(await wire.until(480))
    await taken.ended()


async def test_cancel_before_the_answer(desk, wire):
    dialogue = wire.dialogue()
    dialogue.invite()
    taken = await desk.next_call()
    dialogue.send("CANCEL")
    replies = {(m.status, m.method) for m in [await wire.next() for _ in range(4)]}
    assert {(200, "CANCEL"), (487, "INVITE")} <= replies
    assert await taken.ended() == LegEnded(True, 487, "Request Terminated")
    assert taken.seen == [await taken.ended()]


async def test_an_invite_without_sdp_gets_an_offer_and_takes_the_answer_in_the_ack(desk, wire):
    dialogue = wire.dialogue()
    dialogue.invite(body="")
    taken = await desk.next_call()
    await taken.leg.answer()
    ok = await wire.until(200)
    assert "m=audio" in ok.body
    assert "c=IN IP4 127.0.0.1" in ok.body
    assert taken.seen == []  # nothing is known before the ACK
    dialogue.confirm(ok, PCMU)
    assert await taken.expect(LegAnswered) == LegAnswered("PCMU/8000")
    dialogue.bye()
    assert (await taken.ended()).by_caller


async def test_our_bye_goes_to_the_caller_s_contact(desk, wire):
    dialogue = wire.dialogue()
    dialogue.invite()
    taken = await desk.next_call()
    await taken.leg.answer()
    dialogue.confirm(await wire.until(200))
    await taken.expect(LegAnswered)
    await taken.leg.hang_up()
    bye = await wire.until("BYE")
    assert bye.start == f"BYE sip:ann@127.0.0.1:{wire.port} SIP/2.0"


async def test_no_common_codec_is_488(desk, wire):
    dialogue = wire.dialogue()
    dialogue.invite(OPUS_ONLY)
    response = await wire.until(488)
    dialogue.refused(response)
    assert desk.calls.empty()


async def test_a_changed_media_address_moves_the_call(desk, wire):
    """re-INVITE in the middle of a call: answered, and the call goes on."""
    dialogue = wire.dialogue()
    dialogue.invite()
    taken = await desk.next_call()
    await taken.leg.answer()
    dialogue.confirm(await wire.until(200))
    await taken.expect(LegAnswered)
    dialogue.cseq += 1
    dialogue.send("INVITE", PCMU.replace("40000", "40010").replace("o=- 1 1", "o=- 1 2"))
    ok = await wire.until(200)
    assert "a=sendrecv" in ok.body or "a=" not in ok.body.partition("m=audio")[2]
    dialogue.send("ACK", cseq=2)
    await taken.capture(200)
    dialogue.bye()
    assert (await taken.ended()).by_caller
    assert [type(event) for event in taken.seen] == [LegAnswered, LegEnded]


async def test_options_is_answered(wire):
    wire.dialogue().send("OPTIONS")
    response = await wire.until(200)
    assert "INVITE" in response["Allow"]


async def test_a_key_sent_by_sip_info(desk, wire):
    dialogue = wire.dialogue()
    dialogue.invite()
    taken = await desk.next_call()
    await taken.leg.answer()
    dialogue.confirm(await wire.until(200))
    await taken.expect(LegAnswered)
    dialogue.cseq += 1
    kind = "Content-Type: application/dtmf-relay\r\n"
    dialogue.send("INFO", "Signal=5\r\nDuration=160\r\n", extra=kind)
    assert (await wire.until(200)).method == "INFO"
    assert await taken.expect(LegDtmf) == LegDtmf("5")


async def test_a_caller_cannot_have_us_call_others(desk, wire):
    """REFER from the caller, in the call and out of it."""
    async with Wire(9) as target:
        refer_to = f"Refer-To: <sip:x@127.0.0.1:{target.port}>\r\n"
        dialogue = wire.dialogue()
        dialogue.invite()
        taken = await desk.next_call()
        await taken.leg.answer()
        dialogue.confirm(await wire.until(200))
        await taken.expect(LegAnswered)
        dialogue.cseq += 1
        dialogue.send("REFER", extra=refer_to)
        assert (await wire.until(603)).method == "REFER"
        wire.dialogue().send("REFER", extra=refer_to)
        assert (await wire.until(403)).method == "REFER"
        assert target.messages.empty()


@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "NOTIFY"])
async def test_what_is_no_call_is_refused(wire, method):
    wire.dialogue().send(method, extra="Event: presence\r\n")
    response = await wire.next()
    assert response.start == "SIP/2.0 403 Only calls are taken here"
    assert response.method == method


async def test_a_bye_for_no_call_is_481(wire):
    dialogue = wire.dialogue()
    dialogue.to += ";tag=unknown"
    dialogue.send("BYE")
    assert (await wire.next()).status == 481


async def test_rubbish_over_tcp_and_tls_does_no_harm(open_desk):
    desk = await open_desk(tls=True)
    for transport in ("tcp", "tls"):
        for data in (b"\xff" * 70_000, b"GET / HTTP/1.1\r\n\r\n", b"INVITE sip:x", b""):
            _, writer = await asyncio.open_connection("127.0.0.1", desk.endpoint.ports[transport])
            writer.write(data)
            writer.write_eof()
            writer.close()
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        wire.dialogue().send("OPTIONS")
        await wire.until(200)


async def test_rubbish_does_no_harm(desk, wire):
    dialogue = wire.dialogue()
    good = dialogue.request("INVITE", PCMU)
    rubbish = [
        b"",
        b"\0" * 100,
        b"\xff" * 65000,
        b"INVITE",
        b"INVITE sip:x SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        good.replace("Call-ID", "Call-XX").encode(),
        good.replace("CSeq: 1 INVITE", "CSeq: INVITE").encode(),
        good.replace("sip:100@", "sip:" + "9" * 3000 + "@").encode(),
        good.replace("Content-Length: ", "Content-Length: 9").encode(),
        good.replace("m=audio 40000", "m=audio 99999999").encode(),
        good.replace("v=0", "rubbish").encode(),
        good.replace('"Ann \\"A\\" Caller"', '"' + "\\" * 301).encode(),
        good.replace("From:", "From: <<<>>>;;;=").encode(),
        good[:200].encode(),
        good.encode("utf-16"),
    ]
    for data in rubbish:
        wire.send(data)
    wire.dialogue().send("OPTIONS")
    await wire.until(200)
    while not desk.calls.empty():
        await desk.calls.get_nowait().refuse(400)
    call = wire.dialogue("still-here")
    call.invite()
    while True:
        taken = await desk.next_call()
        if taken.incoming.called == "still-here":
            break
        await taken.incoming.refuse(400)
    await taken.leg.answer()
    ok = await wire.until(200)
    assert ok["Call-ID"] == call.call_id
    call.confirm(ok)
    await taken.expect(LegAnswered)


async def test_the_fifth_call_is_turned_away_with_503(open_desk):
    desk = await open_desk(max_calls=4)  # the wheel's own limit; a build of ours is cut to it
    assert desk.endpoint.capacity == 4
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        await _fill_and_overflow(desk, wire)


async def _fill_and_overflow(desk, wire):
    dialogues = [wire.dialogue(str(number)) for number in range(4)]
    for dialogue in dialogues:
        dialogue.invite()
    taken = [await desk.next_call() for _ in range(4)]
    for one, dialogue in zip(taken, dialogues, strict=True):
        await one.leg.answer()
        dialogue.confirm(await wire.until(200))
        await one.expect(LegAnswered)

    fifth = wire.dialogue("5")
    fifth.invite()
    response = await wire.until(503)
    assert response["Retry-After"] == "5"
    assert response["Call-ID"] == fifth.call_id
    fifth.refused(response)
    async with asyncio.timeout(30):
        invite = await desk.turned_away.get()
    assert (invite.called, invite.sip_call_id) == ("5", fifth.call_id)
    assert desk.endpoint.turned_away == 1
    assert desk.calls.empty()
    wire.dialogue().send("OPTIONS")
    await wire.until(200)

    dialogues[0].bye()
    await taken[0].ended()
    sixth = wire.dialogue("6")  # there is room again
    sixth.invite()
    again = await desk.next_call()
    assert again.incoming.called == "6"
    await again.incoming.refuse(486)


async def test_max_calls_cuts_the_capacity(open_desk):
    desk = await open_desk(max_calls=1)
    assert desk.endpoint.capacity == 1
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        wire.dialogue("1").invite()
        await desk.next_call()
        wire.dialogue("2").invite()
        assert (await wire.until(503))["Retry-After"] == "5"
        assert desk.calls.empty()
