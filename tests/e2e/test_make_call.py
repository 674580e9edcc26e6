"""`make call`: a call without a telephone, against the running system."""

from __future__ import annotations

import asyncio

from tests.e2e.stack import RunningStack


async def run_call(stack: RunningStack, *words: str) -> tuple[int, list[str]]:
    process = await asyncio.to_thread(stack.run_command, "call", *words)
    assert process.stdout is not None
    return process.returncode, process.stdout.read().splitlines()


async def test_it_prints_both_sides_the_tool_and_the_outcome(stack: RunningStack) -> None:
    say = "What are your opening hours? | Please connect me to the sales department."
    status, lines = await run_call(stack, "--say", say)
    text = "\n".join(lines)
    assert status == 0, text
    caller = [line for line in lines if line.startswith("caller: ")]
    agent = [line for line in lines if line.startswith("agent: ")]
    assert "opening hours" in caller[0].lower()
    assert "sales" in caller[1].lower()
    assert len(agent) >= 3, text
    assert any(line.startswith("tool: transfer_call(target=sales) succeeded") for line in lines)
    assert lines[-1].startswith("outcome: ended, transferred"), text
    first_agent = lines.index(agent[0])
    assert first_agent < lines.index(caller[0]) < lines.index(agent[1]) < lines.index(caller[1])


async def test_a_number_that_nobody_has_is_a_clear_failure(stack: RunningStack) -> None:
    status, lines = await run_call(stack, "--number", "999", "--say", "hello")
    assert status != 0
    assert any("unknown_number" in line for line in lines), lines
