"""The door: keys, dialects, pages, records, and the process itself."""

import json
import signal
import socket
import subprocess
import sys
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus

from media_worker.sandbox import SandboxServer
from media_worker.sandbox.recognition import Recogniser
from media_worker.sandbox.records import Records, SessionRecord
from tests.media_worker.sandbox.client import GA_MODEL, connected
from tests.media_worker.sandbox.conftest import Connect


async def first_event(url: str, **options: Any) -> dict[str, Any]:
    async with open_socket(url, **options) as client:
        return json.loads(await client.recv())


async def refusal(url: str, **headers: str) -> tuple[int, dict[str, Any]]:
    with pytest.raises(InvalidStatus) as refused:
        await first_event(url, additional_headers=headers)
    response = refused.value.response
    return response.status_code, json.loads(response.body)["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer sandbox"},
        {"authorization": "bearer sandbox-1"},
        {"api-key": "sandbox-azure"},
    ],
)
async def test_keys_that_begin_with_sandbox_are_accepted(
    server: SandboxServer, headers: dict[str, str]
) -> None:
    event = await first_event(f"{server.url}?model={GA_MODEL}", additional_headers=headers)
    assert event["type"] == "session.created"


async def test_a_browser_gives_its_key_as_a_subprotocol(server: SandboxServer) -> None:
    protocols = ["realtime", "openai-insecure-api-key.sandbox-browser"]
    event = await first_event(f"{server.url}?model=x", subprotocols=protocols)
    assert event["session"]["type"] == "realtime"
    beta = [*protocols, "openai-beta.realtime-v1"]
    event = await first_event(f"{server.url}?model=x", subprotocols=beta)
    assert event["session"]["input_audio_format"] == "pcm16"


async def test_other_keys_are_refused_as_the_real_one_does(server: SandboxServer) -> None:
    url = f"{server.url}?model={GA_MODEL}"
    status, error = await refusal(url)
    assert (status, error["code"]) == (401, "missing_api_key")
    status, error = await refusal(url, Authorization="Bearer sk-a-very-secret-key")
    assert (status, error["code"]) == (401, "invalid_api_key")
    assert error["type"] == "invalid_request_error"
    assert "secret" not in error["message"]


async def test_a_model_is_required_and_a_misbehaviour_must_be_known(server: SandboxServer) -> None:
    key = {"Authorization": "Bearer sandbox"}
    assert (await refusal(server.url, **key))[0] == 400
    status, error = await refusal(f"{server.url}?model=x&misbehave=dance", **key)
    assert status == 400
    assert "Known: " in error["message"]


async def test_azure_paths(server: SandboxServer) -> None:
    base = f"ws://127.0.0.1:{server.port}/openai"
    key = {"api-key": "sandbox"}
    ga = await first_event(f"{base}/v1/realtime?model=my-deployment", additional_headers=key)
    assert ga["session"]["type"] == "realtime"
    preview = f"{base}/realtime?api-version=2025-04-01-preview&deployment=d"
    beta = await first_event(preview, additional_headers=key)
    assert beta["session"]["modalities"] == ["audio", "text"]


async def test_pages(server: SandboxServer, connect: Connect) -> None:
    base = f"http://127.0.0.1:{server.port}"
    async with connect(misbehave="slow:0") as client:
        await client.update(instructions="Be brief.", audio={"output": {"voice": "cedar"}})
        await client.silence(500)
        await client.respond()
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{base}/healthz")).json()["ok"] is True
            (listed,) = (await http.get(f"{base}/sessions")).json()
            found = (await http.get(f"{base}/sessions/{client.session_id}")).json()
            missing = await http.get(f"{base}/sessions/sess_nobody")
            assert (missing.status_code, (await http.get(base)).status_code) == (404, 404)
    assert listed["id"] == client.session_id
    assert (listed["dialect"], listed["misbehave"]) == ("ga", ["slow"])
    update = found["client_events"][0]["session"]
    assert update == {
        "type": "realtime",
        "instructions": "Be brief.",
        "audio": {"output": {"voice": "cedar"}},
    }
    assert found["client_counts"]["input_audio_buffer.append"] == 5
    assert found["appended_ms"] == 500
    assert found["server_counts"]["response.done"] == 1
    assert "input_audio_buffer.append" not in [e["type"] for e in found["client_events"]]
    assert found["server_events"][0]["type"] == "session.created"
    assert found["sent_audio_ms"] > 500
    assert "secret" not in json.dumps(found)


async def test_a_session_that_is_over_stays_readable(
    server: SandboxServer, connect: Connect
) -> None:
    async with connect() as client:
        await client.send(
            "conversation.item.create",
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_audio", "audio": "AAAA" * 100}],
            },
        )
        await client.until("conversation.item.done")
        (record,) = server.sessions
        assert record.ended_at is None
    await server.stop()
    assert record.ended_at is not None
    assert record.close_code == 1000
    assert "AAAA" not in json.dumps(record.whole()), "audio is not kept"


def test_only_the_last_sessions_are_kept() -> None:
    records = Records()
    for number in range(250):
        records.add(SessionRecord(f"sess_{number}", "ga", "x", []))
    assert len(list(records)) == 200
    assert records.find("sess_0") is None
    for _ in range(2000):
        records.find("sess_249").received({"type": "response.create"})
    assert len(records.find("sess_249").client_events) == 500
    assert records.find("sess_249").client_counts["response.create"] == 2000


def test_huge_events_are_not_kept() -> None:
    record = SessionRecord("sess_1", "ga", "x", [])
    huge = {"type": "session.update", "session": {"instructions": "x" * 300_000}}
    record.received(huge, 300_100)
    assert record.client_events[0] == {"type": "session.update", "characters": 300_100}
    for number in range(1000):
        record.received({"type": f"made.up.{number}"})
    assert len(record.client_counts) <= 102


async def test_stopping_ends_the_sessions_that_run(recogniser: Recogniser) -> None:
    server = SandboxServer(recogniser=recogniser)
    await server.start()
    async with connected(server) as client:
        await client.send("response.create")
        await client.until("response.created")
        await server.stop()
        frames = [frame async for frame in client.socket]
        assert client.socket.close_code == 1001, frames


def run(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "media_worker.sandbox"],
        env={"PBXAI_SANDBOX_PORT": str(port), "PATH": ""},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_runs_as_a_process_and_ends_when_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process = run(port)
    assert process.stderr is not None
    assert f"ws://127.0.0.1:{port}/v1/realtime" in process.stderr.readline()
    assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=30).json()["ok"] is True
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_a_taken_port_is_said_in_plain_words() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = run(taken.getsockname()[1])
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "cannot listen" in complaint
    assert "Traceback" not in complaint
