"""A conversation over a real socket, and the ways in which it ends."""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import Any

import pytest

from media_worker.contract import Dialect, Greeting, ProblemKind, VadMode
from media_worker.realtime.client import MALFORMED_LIMIT, RealtimeClient
from media_worker.realtime.session import (
    AgentAudio,
    AgentTextDone,
    Ended,
    Heard,
    Problem,
    ResponseFinished,
    ResponseStarted,
    SessionError,
    SpeechStarted,
    ToolRequested,
)
from tests.media_worker.realtime import plans
from tests.media_worker.realtime.signals import PCMU_SPEECH
from tests.media_worker.realtime.stub import Line, Reader, Script, Stub

BOTH = pytest.mark.parametrize("dialect", list(Dialect))
SPEECH = base64.b64encode(PCMU_SPEECH).decode()
NAMES = {
    Dialect.OPENAI: ("output_audio", "added"),
    Dialect.OPENAI_BETA: ("audio", "created"),
}


async def speak(line: Line, response_id: str, item_id: str, text: str) -> None:
    """One spoken item as the dialect's server sends it."""
    audio, added = NAMES[line.dialect]
    item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress"}
    where = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    await line.send("response.created", response={"id": response_id, "status": "in_progress"})
    await line.send("response.output_item.added", response_id=response_id, item=item)
    await line.send(f"conversation.item.{added}", item=item, previous_item_id=None)
    await line.send(f"response.{audio}_transcript.delta", delta=text, **where)
    await line.send(f"response.{audio}.delta", delta=SPEECH, **where)
    await line.send(f"response.{audio}.done", **where)
    await line.send(f"response.{audio}_transcript.done", transcript=text, **where)


async def finish(line: Line, response_id: str, status: str = "completed", **more: Any) -> None:
    await line.send("response.done", response={"id": response_id, "status": status, **more})


@BOTH
async def test_a_whole_conversation(dialect: Dialect) -> None:
    heard_by_server: list[str] = []

    async def script(line: Line) -> None:
        await line.greet()
        say = await line.expect("response.create")
        assert "<<<Good day.>>>" in say["response"]["instructions"]
        await speak(line, "resp_1", "a1", "Good day.")
        await finish(line, "resp_1")
        free = await line.expect("session.update")
        assert "'create_response': True" in str(free)
        await line.send("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=0)
        truncate = await line.expect("conversation.item.truncate")
        assert (truncate["item_id"], truncate["audio_end_ms"]) == ("a1", 260)
        heard_by_server.extend(line.audio)
        await line.send("response.created", response={"id": "resp_2"})
        call = {
            "id": "f1",
            "type": "function_call",
            "call_id": "call_1",
            "name": "hang_up",
            "arguments": "{}",
            "status": "completed",
        }
        await line.send("response.output_item.done", response_id="resp_2", item=call)
        output = await line.expect("conversation.item.create")
        assert output["item"]["call_id"] == "call_1"
        await finish(line, "resp_2", output=[call])
        await line.expect("response.create")
        await speak(line, "resp_3", "a2", "Goodbye.")
        await finish(line, "resp_3", usage={"input_tokens": 5, "output_tokens": 7})
        await line.closed()

    async with Stub(script, dialect=dialect) as stub:
        session = stub.session()
        await session.open(guarded=True)
        reader = Reader(session)
        await session.say(Greeting(language="en", text="Good day."))
        text = await reader.until(AgentTextDone)
        await reader.until(ResponseFinished)
        await session.set_guard(False)
        session.send_audio(PCMU_SPEECH)
        await reader.until(SpeechStarted)
        await session.interrupt(Heard("a1", 260))
        request = await reader.until(ToolRequested)
        await session.tool_result(request.tool_call_id, '{"ok":true}', respond=True)
        await reader.until(ResponseFinished)
        await reader.until(ResponseStarted)
        finished = await reader.until(ResponseFinished)
        await session.close()
        assert await reader.ended() == Ended(problem=None)
        await session.close()
    assert text == AgentTextDone("a1", "Good day.")
    assert [audio.item_id for audio in reader.all(AgentAudio)] == ["a1", "a2"]
    assert all(audio.data == PCMU_SPEECH for audio in reader.all(AgentAudio))
    assert base64.b64decode("".join(heard_by_server)) == PCMU_SPEECH
    assert finished.usage.output_text_tokens == 7
    assert reader.all(Problem) == []


@BOTH
async def test_our_own_vad_commits_the_turn_and_asks_for_the_answer(dialect: Dialect) -> None:
    done = asyncio.Event()

    async def script(line: Line) -> None:
        await line.greet()
        await line.expect("input_audio_buffer.commit")
        await line.expect("response.create")
        await line.expect("conversation.item.create")
        done.set()
        await line.closed()

    async with Stub(script, dialect=dialect) as stub:
        session = stub.session(vad_mode=VadMode.LOCAL)
        assert not session.capabilities.owns_turns
        await session.open(guarded=True)
        session.send_audio(PCMU_SPEECH[: 8 * 90])
        await session.commit_turn()  # 90 ms: too short, nothing is sent
        session.send_audio(PCMU_SPEECH[: 8 * 20])
        await session.commit_turn()
        await session.commit_turn()  # nothing new
        await session.tool_result("call_1", "{}", respond=False)
        async with asyncio.timeout(30):
            await done.wait()
        await session.close()


# --- endings -------------------------------------------------------------------------------------


async def ending(script: Script, **options: Any) -> tuple[Ended, Reader]:
    """How a session ends that the script ends after opening it."""

    async def opened(line: Line) -> None:
        await line.greet()
        await script(line)

    async with Stub(opened, **options) as stub:
        session = stub.session()
        await session.open(guarded=True)
        reader = Reader(session)
        ended = await reader.ended()
        with pytest.raises(SessionError) as raised:
            session.send_audio(PCMU_SPEECH)
        assert raised.value is ended.problem
        await session.close()
        return ended, reader


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (1001, "Your session hit the maximum duration of 60 minutes.", ProblemKind.SESSION_EXPIRED),
        (1000, "", ProblemKind.DROPPED),
        (1011, "", ProblemKind.DROPPED),
        (4000, "invalid_request_error.session_expired", ProblemKind.SESSION_EXPIRED),
        (3000, "insufficient_quota", ProblemKind.QUOTA),
    ],
)
async def test_closed_by_the_provider(code: int, reason: str, kind: ProblemKind) -> None:
    ended, _ = await ending(lambda line: line.websocket.close(code, reason))
    assert ended.problem is not None
    assert ended.problem.kind is kind
    assert ended.problem.code == str(code)


async def test_the_session_expires_with_an_error() -> None:
    async def script(line: Line) -> None:
        await line.error("session_expired", "Your session hit the maximum duration of 60 minutes.")
        await line.websocket.close(1001)

    ended, reader = await ending(script)
    assert ended.problem is not None
    assert (ended.problem.kind, ended.problem.retryable) == (ProblemKind.SESSION_EXPIRED, True)
    assert "60 minutes" in ended.problem.message
    assert reader.seen == [ended]


async def test_the_network_breaks() -> None:
    async def script(line: Line) -> None:
        line.websocket.transport.abort()

    ended, _ = await ending(script)
    assert ended.problem is not None
    assert (ended.problem.kind, ended.problem.retryable) == (ProblemKind.DROPPED, True)


async def test_a_few_malformed_frames_are_nothing() -> None:
    async def script(line: Line) -> None:
        for _ in range(MALFORMED_LIMIT):
            await line.raw("{")
        await line.send("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=1)
        await line.closed()

    async def opened(line: Line) -> None:
        await line.greet()
        await script(line)

    async with Stub(opened) as stub:
        session = stub.session()
        await session.open(guarded=True)
        reader = Reader(session)
        assert await reader.until(SpeechStarted) == SpeechStarted("u1", 1)
        await session.close()
    assert session.malformed == MALFORMED_LIMIT


async def test_a_flood_of_malformed_frames_ends_the_session() -> None:
    async def script(line: Line) -> None:
        for _ in range(MALFORMED_LIMIT + 1):
            await line.raw("{")
        await line.closed()

    ended, _ = await ending(script)
    assert ended.problem is not None
    assert ended.problem.kind is ProblemKind.PROTOCOL


@pytest.mark.parametrize("frame", ["x" * (17 * 1024 * 1024)])
async def test_a_frame_beyond_all_measure(frame: str) -> None:
    async def script(line: Line) -> None:
        await line.raw(frame)
        await line.closed()

    ended, _ = await ending(script, write_limit=64 * 1024 * 1024)
    assert ended.problem is not None
    assert ended.problem.kind is ProblemKind.PROTOCOL


async def test_an_event_is_not_lost_because_the_end_comes_with_it() -> None:
    async def script(line: Line) -> None:
        await speak(line, "resp_1", "a1", "Hello")
        await line.websocket.close(1001)

    _, reader = await ending(script)
    assert len(reader.all(AgentAudio)) == 1


class Deaf:
    """A provider that opens a session and then reads nothing more, until it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def __call__(self, line: Line) -> None:
        await line.greet()
        line.websocket.transport.pause_reading()
        await self.let_go.wait()
        line.websocket.transport.abort()


async def test_audio_that_the_provider_does_not_take_ends_the_session() -> None:
    deaf = Deaf()
    taken = 0

    async def talk(session: RealtimeClient) -> None:
        nonlocal taken
        for _ in range(10_000):
            session.send_audio(PCMU_SPEECH)
            taken += len(PCMU_SPEECH)

    async with Stub(deaf, receive_buffer=4096) as stub:
        session = stub.session()
        await session.open(guarded=True)
        with pytest.raises(SessionError) as raised:
            await talk(session)
        assert (await Reader(session).ended()).problem is raised.value
        await session.close()
        deaf.let_go.set()
    assert (raised.value.kind, raised.value.code) == (ProblemKind.DROPPED, "backlog")
    assert taken < 30 * 8000, "more than half a minute of speech piled up"


async def test_a_provider_that_answers_no_ping_is_dropped() -> None:
    deaf = Deaf()
    async with Stub(deaf) as stub:
        session = stub.session(deadlines=plans.NO_PONG)
        await session.open(guarded=True)
        problem = (await Reader(session).ended()).problem
        await session.close()
        deaf.let_go.set()
    assert problem is not None
    assert (problem.kind, problem.code) == (ProblemKind.DROPPED, "keepalive")


async def test_used_before_it_is_open() -> None:
    async with Stub(lambda line: line.closed()) as stub:
        session = stub.session()
        with pytest.raises(SessionError):
            session.send_audio(PCMU_SPEECH)
        await session.close()


# --- what is logged ------------------------------------------------------------------------------


async def test_neither_key_nor_prompt_nor_audio_is_ever_logged(
    caplog: pytest.LogCaptureFixture, log_lines: list[dict[str, Any]]
) -> None:
    caplog.set_level(logging.DEBUG)

    async def script(line: Line) -> None:
        await line.greet()
        await line.expect("response.create")
        await line.raw("{")
        await speak(line, "resp_1", "a1", "Good day.")
        await line.error("invalid_value", f"odd: {plans.PROMPT} {plans.KEY}")
        await line.closed()

    async with Stub(script, logger=logging.getLogger("stub")) as stub:
        logging.getLogger("stub").setLevel(logging.WARNING)
        session = stub.session()
        await session.open(guarded=True)
        session.send_audio(PCMU_SPEECH)
        await session.respond()
        reader = Reader(session)
        await reader.until(Problem)
        await session.close()
    written = caplog.text + str(log_lines)
    for secret in (plans.KEY, "dental practice", SPEECH[:40], "Good day."):
        assert secret not in written
