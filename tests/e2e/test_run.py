"""`make run` for the person at the terminal: what it prints, what it refuses, how it stops."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import RunningStack
from tests.e2e.world import eventually


def processes_of(data: Path) -> dict[int, str]:
    """Command lines of all processes that were told this data folder, by their ids."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes()
        except (OSError, NotADirectoryError):
            continue
        if f"PBXAI_DATA={data}\0".encode() in environment and command:
            found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def test_three_lines_say_where_to_go(stack: RunningStack) -> None:
    assert re.match(r"Portal\s+http://127\.0\.0\.1:\d+/\s", stack.printed["Portal"])
    assert re.match(r"Console\s+http://127\.0\.0\.1:\d+/console/\s", stack.printed["Console"])
    assert re.match(r"Call\s+sip:\S+@127\.0\.0\.1:\d+\s", stack.printed["Call"])


def test_the_printed_names_and_passwords_open_both_doors(stack: RunningStack) -> None:
    for door, path, expected in (
        ("Portal", "/", "/t/demo/"),
        ("Console", "/console/", "/console/"),
    ):
        email, password = stack.sign_in(door)
        with httpx.Client(base_url=stack.web, follow_redirects=True, timeout=60) as browser:
            page = browser.get("/accounts/login/", params={"next": path})
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
            assert token is not None
            form = {"login": email, "password": password, "next": path}
            answer = browser.post(
                page.url,
                data={**form, "csrfmiddlewaretoken": token[1]},
                headers={"Referer": str(page.url)},
            )
            assert answer.status_code == 200
            assert str(answer.url).removeprefix(stack.web).startswith(expected)


def test_jobs_let_pages_and_calls_go_first(stack: RunningStack) -> None:
    niceness = {
        name: os.getpriority(os.PRIO_PROCESS, pid)
        for pid, command in processes_of(stack.data).items()
        for name in ("celery -A", "daphne", "-m media_worker ")
        if name in command
    }
    assert niceness["celery -A"] > niceness["daphne"] == niceness["-m media_worker "]


def test_a_second_run_says_that_one_runs_already(stack: RunningStack) -> None:
    second = stack.run_command("run")
    assert second.returncode != 0
    assert second.stdout is not None
    said = second.stdout.read()
    assert "already runs" in said
    assert "Traceback" not in said


def test_taken_ports_are_named_with_their_variable(stack: RunningStack, tmp_path: Path) -> None:
    other = RunningStack(tmp_path / "other")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", other.sip_port))
        refused = other.run_command("run")
        assert refused.stdout is not None
        said = refused.stdout.read()
    assert refused.returncode != 0
    assert f"{other.sip_port} (SIP over UDP): set PBXAI_SIP_PORT" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PBXAI_HTTP_PORT", "abc", "PBXAI_HTTP_PORT must be a whole number, not 'abc'."),
        ("PBXAI_SIP_PORT", "65535", "PBXAI_SIP_PORT must be between 1 and 65534, not 65535."),
        ("PBXAI_SIP_ADDRESS", "192.0.2.1", "cannot listen on 192.0.2.1 (SIP over UDP)"),
        ("PBXAI_DATA", "/proc/pbxai", "PBXAI_DATA: cannot make the folder /proc/pbxai"),
        ("PBXAI_RTP_PORT", "abc", "PBXAI_RTP_PORT must be a whole number, not 'abc'."),
        ("PBXAI_METRICS_PORT", "70000", "PBXAI_METRICS_PORT must be between 0 and 65535"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    tmp_path: Path, variable: str, value: str, told: str
) -> None:
    stack = RunningStack(tmp_path / "data")
    stack.environment[variable] = value
    refused = stack.run_command("run")
    assert refused.stdout is not None
    said = refused.stdout.read()
    assert refused.returncode != 0
    assert told in said
    assert "Traceback" not in said
    assert processes_of(stack.data) == {}


async def test_nothing_stays_behind_when_the_process_manager_is_killed(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "data with spaces")
    await asyncio.to_thread(stack.start)
    assert stack.process is not None
    os.kill(int((stack.data / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    said, _ = await asyncio.to_thread(stack.process.communicate, timeout=120)
    assert stack.process.returncode == 1
    assert "The process manager ended" in said
    await eventually(lambda: not processes_of(stack.data), why="the parts have ended")


def test_ctrl_c_stops_every_process_and_a_new_start_keeps_the_passwords(tmp_path: Path) -> None:
    first = RunningStack(tmp_path / "data")
    first.start()
    assert len(processes_of(first.data)) >= 5
    password = first.sign_in()
    assert first.stop() == 0
    assert processes_of(first.data) == {}
    first.in_background = True
    first.start()
    assert first.sign_in() == password
    assert first.stop() == 0
