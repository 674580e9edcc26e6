"""Each misbehaviour does what it says, and nothing else changes."""

import base64
import json
import time

import pytest
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from media_worker.sandbox import SandboxServer
from media_worker.sandbox.misbehaviour import Misbehaviour, MisbehaviourError
from tests.media_worker.sandbox.client import GA_MODEL, Client
from tests.media_worker.sandbox.conftest import Connect
from tests.media_worker.sandbox.test_items import created, user

PCMU = {"type": "audio/pcmu"}
BOTH_PCMU = {"input": {"format": PCMU}, "output": {"format": PCMU}}
HEADERS = {"Authorization": "Bearer sandbox-test"}


async def closed(client: Client) -> ConnectionClosed:
    try:
        while True:
            await client.next()
    except ConnectionClosed as over:
        return over


async def raw(server: SandboxServer, misbehave: str, **headers: str) -> tuple[list[dict], int, str]:
    """All events until the server closes, with close code and reason."""
    url = f"{server.url}?model={GA_MODEL}&misbehave={misbehave}"
    async with open_socket(url, additional_headers=HEADERS | headers) as socket:
        events = []
        try:
            while True:
                events.append(json.loads(await socket.recv()))
        except ConnectionClosed:
            return events, socket.close_code or 0, socket.close_reason or ""


async def test_refuse_key(server: SandboxServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await raw(server, "refuse_key")
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["error"]["code"] == "invalid_api_key"


async def test_beta_disabled_is_101_one_error_and_4000(
    server: SandboxServer, connect: Connect
) -> None:
    events, code, reason = await raw(server, "beta_disabled", **{"OpenAI-Beta": "realtime=v1"})
    (event,) = events
    assert (event["type"], event["error"]["code"]) == ("error", "beta_api_shape_disabled")
    assert (code, reason) == (4000, "invalid_request_error.beta_api_shape_disabled")
    async with connect(misbehave="beta_disabled") as client:
        await client.update(audio=BOTH_PCMU)


async def test_quota(server: SandboxServer) -> None:
    events, code, _ = await raw(server, "quota")
    assert [event["error"]["code"] for event in events] == ["insufficient_quota"]
    assert code == 4000


async def test_rate_limit_fails_each_response(connect: Connect) -> None:
    async with connect(misbehave="rate_limit") as client:
        response = await client.respond()
        assert response["status"] == "failed"
        assert response["status_details"]["error"]["code"] == "rate_limit_exceeded"


async def test_drop_after_is_no_clean_close(connect: Connect) -> None:
    async with connect(misbehave="drop_after:0.3") as client:
        await client.update(audio=BOTH_PCMU)
        assert (await closed(client)).rcvd is None


async def test_session_expired_says_so_and_closes(connect: Connect) -> None:
    async with connect(misbehave="session_expired:0.2") as client:
        over = await closed(client)
        assert client.events[-1]["error"]["code"] == "session_expired"
        assert over.rcvd is not None
        assert over.rcvd.code == 1001
        assert "maximum duration of 60 minutes" in over.rcvd.reason


async def test_wrong_audio_declares_g711_and_sends_pcm(connect: Connect) -> None:
    async with connect(misbehave="wrong_audio") as client:
        updated = await client.update(audio=BOTH_PCMU)
        assert updated["audio"]["output"]["format"] == PCMU
        response = await client.respond()
        seconds = response["usage"]["output_token_details"]["audio_tokens"] / 20
        assert len(client.audio(response["id"])) / 48000 == pytest.approx(seconds, abs=0.06)


async def test_wrong_echo_keeps_another_format_and_uses_it(connect: Connect) -> None:
    async with connect(misbehave="wrong_echo") as client:
        updated = await client.update(audio=BOTH_PCMU)
        pcm = {"type": "audio/pcm", "rate": 24000}
        assert updated["audio"]["output"]["format"] == pcm
        assert updated["audio"]["input"]["format"] == pcm


async def test_text_only_never_speaks(connect: Connect) -> None:
    async with connect(misbehave="text_only") as client:
        response = await client.respond()
        assert client.words(response) == "Hello, how can I help you?"
        assert not client.audio(response["id"])
        assert response["output"][0]["content"][0]["type"] == "output_text"


async def test_silence_hears_and_never_answers(connect: Connect) -> None:
    async with connect(misbehave="silence") as client:
        await client.update(audio=BOTH_PCMU)
        await client.send("response.create")
        await client.say("What are your opening hours?")
        await client.until("input_audio_buffer.committed")
        await client.update(instructions="are you there?")
        assert not [event for event in client.events if event["type"].startswith("response.")]


async def test_slow_waits_before_it_speaks(server: SandboxServer, connect: Connect) -> None:
    async with connect(misbehave="slow:0.5") as client:
        await client.respond()
        at = {event["type"]: event["at"] for event in server.sessions[-1].server_events}
        assert at["response.output_item.added"] - at["response.created"] >= 0.5


async def test_slow_open_waits_before_there_is_a_session(connect: Connect) -> None:
    before = time.monotonic()
    async with connect(misbehave="slow_open:0.5"):
        assert time.monotonic() - before >= 0.5


async def test_reject_update(connect: Connect) -> None:
    async with connect(misbehave="reject_update") as client:
        error = await client.refused("session.update", session={"type": "realtime"})
        assert error["code"] == "invalid_value"


async def test_garbage_is_no_protocol(connect: Connect) -> None:
    async with connect(misbehave="garbage", check=False) as client:
        await client.update(audio=BOTH_PCMU)
        await client.send("response.create")
        broken = 0
        for _ in range(27):
            frame = await client.socket.recv()
            try:
                event = json.loads(frame)
                base64.b64decode(event["delta"], validate=True)
            except (ValueError, TypeError, KeyError, UnicodeDecodeError):
                broken += 1
        assert broken == 27


async def test_unknown_events_come_between_good_ones(connect: Connect) -> None:
    async with connect(misbehave="unknown_events", check=False) as client:
        await client.update(audio=BOTH_PCMU)
        await created(client, user("hello"))
        response = await client.respond()
        assert response["status"] == "completed"
        names = {event["type"] for event in client.events}
        assert {"session.mood.changed", "ping", "response.thought.delta"} <= names


def test_several_at_once() -> None:
    both = Misbehaviour.parse("slow:2,unknown_events")
    assert both.seconds("slow") == 2
    assert "unknown_events" in both
    assert both.names == ["slow", "unknown_events"]
    assert Misbehaviour.parse("").names == []


@pytest.mark.parametrize("text", ["slow", "slow:x", "slow:-1", "shout", "quota:3", "slow:1e9"])
def test_a_misbehaviour_that_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(MisbehaviourError, match="Known: "):
        Misbehaviour.parse(text)
