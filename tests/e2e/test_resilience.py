"""Parts that stop or die while a call runs: the call goes on or is closed, nothing is lost."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.people import spoken
from tests.e2e.stack import RunningStack
from tests.e2e.test_run import processes_of
from tests.e2e.world import World, eventually
from tests.support.raw_phone import RawPhone

QUESTION = spoken("what are your opening hours")


def pid_of(stack: RunningStack, name: str) -> int:
    """The process that supervisord started last for this part."""
    log = (stack.data / "log" / "supervisor.log").read_text()
    started = re.findall(rf"spawned: '{name}' with pid (\d+)", log)
    return int(started[-1])


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def server_of(stack: RunningStack) -> tuple[str, int]:
    return ("127.0.0.1", stack.sip_port)


async def test_a_restart_of_the_web_side_loses_nothing_of_a_running_call(
    world: World, stack: RunningStack
) -> None:
    house = world.house()
    async with RawPhone(server_of(stack)) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        await house.call()
        os.kill(pid_of(stack, "web"), signal.SIGKILL)
        await phone.silence()
        phone.say(QUESTION)
        await phone.speech(since=(await phone.silence()))
        await phone.silence()
        await phone.hang_up()
    record = await house.ended_call()
    assert record.end_cause == "caller_hung_up"
    entries = world.entries(record)
    assert [entry.speaker for entry in entries] == ["agent", "caller", "agent"]
    assert all(entry.text and entry.final for entry in entries)


async def test_while_the_web_side_is_silent_calls_are_answered_from_the_last_plan(
    world: World, stack: RunningStack
) -> None:
    house = world.house()
    async with RawPhone(server_of(stack)) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        await phone.hang_up()
    known = await house.ended_call()
    with standing_still(pid_of(stack, "web")):
        async with RawPhone(server_of(stack)) as phone:
            assert (await phone.call(house.number.number)).status == 200
            await phone.speech()
            await phone.silence()
            await phone.hang_up()
        async with RawPhone(server_of(stack)) as stranger:
            answer = await stranger.call("5550123")
            assert answer.status == 503
            assert answer.headers["retry-after"] == "5"
    record = await eventually(
        lambda: house.tenant.calls.model.all_tenants.filter(
            sip_call_id=phone.call_id, state="ended"
        ).first(),
        why="the record of the call that was taken without the web side",
    )
    assert record.pk != known.pk
    assert record.tenant == house.tenant
    assert world.entries(record)[0].text
    refused = await eventually(
        lambda: house.tenant.calls.model.all_tenants.filter(sip_call_id=stranger.call_id).first()
    )
    assert refused.refusal_reason == "web_unreachable"


async def test_a_killed_worker_comes_back_and_its_call_is_closed_as_interrupted(
    world: World, stack: RunningStack
) -> None:
    house = world.house()
    async with RawPhone(server_of(stack)) as phone:
        await phone.call(house.number.number)
        await phone.speech()
        await phone.silence()
        record = await house.call()
        await eventually(lambda: [entry for entry in world.entries(record) if entry.final])
        killed = pid_of(stack, "worker")
        os.kill(killed, signal.SIGKILL)
    ended = await house.ended_call()
    assert ended.end_cause == "interrupted"
    assert world.entries(ended)[0].text, "what was said until then is kept"
    await eventually(lambda: pid_of(stack, "worker") != killed or None)
    again = world.house()
    async with RawPhone(server_of(stack)) as phone:  # it dials until somebody listens
        assert (await phone.call(again.number.number)).status == 200
        await phone.speech()
        await phone.hang_up()
    assert len(processes_of(stack.data)) >= 5
