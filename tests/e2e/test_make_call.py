"""`make call`: a call without a telephone, against the running system."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tenants.models import Call
from tests.e2e.stack import RunningStack
from tests.e2e.world import World, eventually


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


def test_with_the_system_down_it_says_so_at_once(tmp_path: Path) -> None:
    down = RunningStack(tmp_path / "data")
    call = down.run_command("call")
    assert call.stdout is not None
    said = call.stdout.read()
    assert call.returncode != 0
    assert f"Nothing answers at 127.0.0.1:{down.sip_port}" in said
    assert "Traceback" not in said


async def test_with_another_data_folder_it_says_so(stack: RunningStack, tmp_path: Path) -> None:
    other = RunningStack(tmp_path / "data")
    other.environment |= {"PBXAI_SIP_PORT": stack.ports["PBXAI_SIP_PORT"]}
    status, lines = await run_call(other)
    assert status != 0
    assert "Give this command the same PBXAI_DATA" in "\n".join(lines)
    assert "Traceback" not in "\n".join(lines)


@pytest.mark.parametrize("in_background", [False, True])
async def test_ctrl_c_ends_the_call(
    stack: RunningStack, world: World, monkeypatch: pytest.MonkeyPatch, in_background: bool
) -> None:
    monkeypatch.setattr(stack, "in_background", in_background)
    process = stack.run_command("call", "--say", "hello | hello | hello", wait=False)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("agent: "):
            break
    process.send_signal(signal.SIGINT)
    said, _ = await asyncio.to_thread(process.communicate, timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in said
    newest = Call.all_tenants.filter(number__number="100").order_by("-pk").first()
    assert newest is not None
    await eventually(lambda: Call.all_tenants.filter(pk=newest.pk, state="ended").exists())
