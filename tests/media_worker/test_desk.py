"""Commands from the web side: who does them, and what is said of those that nobody does."""

from __future__ import annotations

from media_worker.contract import CheckAccount, DrainWorker, HangUpCall, SayText
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
    ):
        assert await desk.do(command) in (
            "This worker has no such call.",
            "This worker does not know this command.",
        )
    assert {"call.hang_up", "account.check"}.isdisjoint(desk.tags)
