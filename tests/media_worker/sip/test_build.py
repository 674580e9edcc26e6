"""The build of pjsua2 that Python finds: what it says it takes, it takes. Runs on the wheel too."""

from collections.abc import AsyncIterator

from media_worker.conversation.leg import LegAnswered
from media_worker.host import raise_file_limit
from tests.media_worker.sip.conftest import Desk, Taken
from tests.media_worker.sip.wire import SDP, Dialogue, Wire

ON_HOLD = SDP.format(port=40000, formats="0", lines="a=rtpmap:0 PCMU/8000\r\na=inactive\r\n")
"""Media is set up all the same, and hundreds of calls send nothing to each other."""
WHEEL_CALLS = 4


async def answered_in_each_place(desk: Desk, wire: Wire) -> AsyncIterator[tuple[Dialogue, Taken]]:
    """As many calls as the build says that it takes, one after the other."""
    raise_file_limit()
    for number in range(desk.endpoint.capacity):
        dialogue = wire.dialogue(str(number))
        dialogue.invite(ON_HOLD)
        taken = await desk.next_call()
        await taken.leg.answer()
        dialogue.confirm(await wire.until(200))
        await taken.expect(LegAnswered)
        yield dialogue, taken


async def turned_away(desk: Desk, wire: Wire) -> None:
    one_more = wire.dialogue("one-more")
    one_more.invite()
    response = await wire.until(503)
    assert response["Call-ID"] == one_more.call_id
    assert response["Retry-After"] == "5"
    invite = await desk.turned_away.get()
    assert invite is not None
    assert invite.called == "one-more"
    assert desk.endpoint.turned_away == 1
    assert desk.calls.empty()


async def test_the_version_says_how_many_calls_the_library_takes(desk):
    version, _, calls = desk.endpoint.build.partition("+calls")
    assert version.startswith("2.")
    assert desk.endpoint.capacity == int(calls or WHEEL_CALLS)


async def test_each_place_takes_a_call_and_the_next_one_is_turned_away(open_desk):
    desk = await open_desk()
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        calls = [each async for each in answered_in_each_place(desk, wire)]
        assert len(calls) == desk.endpoint.capacity
        await turned_away(desk, wire)
        dialogue, taken = calls[0]
        dialogue.bye()
        await taken.ended()
        wire.dialogue("room-again").invite()
        assert (await desk.next_call()).incoming.called == "room-again"


async def test_calls_whose_bye_is_not_answered_still_take_their_place(open_desk):
    desk = await open_desk()
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        async for _, taken in answered_in_each_place(desk, wire):
            await taken.leg.hang_up()
            await taken.ended()  # for the conversation; the library repeats its BYE for 32 s
        await turned_away(desk, wire)
