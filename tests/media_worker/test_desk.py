"""Commands from the web side: who does them, and what is said of those that nobody does."""

from __future__ import annotations

from media_worker.contract import (
    CheckAccount,
    DrainWorker,
    HangUpCall,
    MuteAgent,
    SayText,
    TransferCall,
)
from media_worker.desk import Desk


class NoCalls:
    by_id: dict[str, object] = {}


def desk_with(checked: list[str]) -> Desk:
    async def check(check_id: str) -> str:
        checked.append(check_id)
        return "This check is over." if check_id == "old" else ""

    return Desk(NoCalls(), check)


async def test_a_command_that_nobody_does_is_refused_and_not_named():
    desk = desk_with([])
    assert DrainWorker.__struct_config__.tag not in desk.tags
    detail = await desk.do(DrainWorker(command_id="c", draining=True))
    assert detail == "This worker does not know this command."


async def test_what_is_taken_on_is_named_and_done():
    desk, done = desk_with([]), []

    async def drain(command: DrainWorker) -> str:
        done.append(command.draining)
        return "Not now."

    desk.take_on(DrainWorker, drain)
    assert "worker.drain" in desk.tags
    assert await desk.do(DrainWorker(command_id="c", draining=True)) == "Not now."
    assert done == [True]


async def test_checks_are_run_and_calls_that_are_gone_are_named_so():
    checked: list[str] = []
    desk = desk_with(checked)
    assert await desk.do(CheckAccount(command_id="c", check_id="new")) == ""
    assert await desk.do(CheckAccount(command_id="c", check_id="old")) == "This check is over."
    assert checked == ["new", "old"]
    for command in (
        HangUpCall(command_id="c", call_id="gone"),
        SayText(command_id="c", call_id="gone", text="Hello"),
        MuteAgent(command_id="c", call_id="gone", muted=True),
        TransferCall(command_id="c", call_id="gone", uri="sip:a@192.0.2.1"),
    ):
        assert await desk.do(command) == "This worker has no such call."
    assert {"call.hang_up", "account.check"}.isdisjoint(desk.tags)
    assert {"call.say", "call.mute", "call.transfer"} <= set(desk.tags)


class OneCall:
    """A call that remembers what was asked of it."""

    def __init__(self) -> None:
        self.by_id = {"call": self}
        self.asked: list[tuple[str, ...]] = []

    async def say(self, command_id: str, text: str) -> str:
        self.asked.append((command_id, text))
        return ""

    async def transfer(self, command_id: str, uri: str, name: str) -> str:
        self.asked.append((command_id, uri, name))
        return "Sales is busy."


async def test_what_makes_no_sense_does_not_reach_the_call():
    calls = OneCall()
    desk = Desk(calls, lambda check_id: None)
    told = await desk.do(SayText(command_id="c", call_id="call", text="  "))
    assert told == "There is nothing to say."
    for uri in ("tel", "http://example.org", "sip:", "sip:a@b>\r\nRoute: x", "sip:" + "a" * 300):
        told = await desk.do(TransferCall(command_id="c", call_id="call", uri=uri))
        assert told == "The call can only be transferred to a sip:, sips: or tel: address."
    assert calls.asked == []
    assert await desk.do(SayText(command_id="c", call_id="call", text=" Hello ")) == ""
    told = await desk.do(TransferCall(command_id="d", call_id="call", uri="tel:+4930", name="B"))
    assert told == "Sales is busy."
    assert calls.asked == [("c", "Hello"), ("d", "tel:+4930", "B")]
