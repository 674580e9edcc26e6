"""A chat: scripted sessions for what may go wrong, and one with the sandbox for what is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from media_worker.contract import (
    AnyEvent,
    CallAnswered,
    CallEnded,
    CallKind,
    CallNoted,
    CallPlan,
    EndCause,
    ProblemKind,
    ProviderAccess,
    ProviderProblem,
    Speaker,
    ToolSet,
    ToolUpdated,
    TranscriptUpdated,
    UsageReported,
)
from media_worker.conversation.chat import NO_VOICE, Chat
from media_worker.conversation.ticker import Ticker
from media_worker.realtime.dialects import session_maker
from media_worker.realtime.session import (
    AgentItem,
    AgentText,
    AgentTextDone,
    Ended,
    Problem,
    ResponseFinished,
    ResponseStarted,
    SessionError,
    ToolRequested,
)
from media_worker.sandbox.server import SandboxServer
from tests.media_worker.conversation.stage import (
    GREETING,
    ScriptedSession,
    VirtualTicker,
    failing,
    make_plan,
)
from tests.support.wait import until as until_real

QUESTION = "When are you open?"


def chat_plan(**changes: object) -> CallPlan:
    return msgspec.structs.replace(make_plan(tools=ToolSet()), kind=CallKind.CHAT, **changes)


class Room:
    """One chat under test; time passes in `run` and `until`."""

    def __init__(self, **changes: object) -> None:
        self.clock = VirtualTicker()
        self.events: list[AnyEvent] = []
        self.sessions: list[ScriptedSession] = []
        self.prepare: list[Callable[[ScriptedSession], None]] = []
        self.chat = Chat(
            plan=chat_plan(**changes), new_session=self._new_session,
            emit=self.events.append, clock=self.clock,
        )  # fmt: skip
        self.running: asyncio.Task[EndCause] | None = None

    async def start(self) -> ScriptedSession:
        self.running = asyncio.create_task(self.chat.run())
        await self.until(lambda: bool(self.sessions))
        await self.run(0.2)
        return self.sessions[-1]

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.clock.time += 0.1
            for _ in range(5):
                self.clock.tick()
            for _ in range(20):
                await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        for _ in range(round(seconds / 0.1)):
            await self.run(0.1)
            if condition():
                return
        raise AssertionError("not so in time")

    async def ended(self, seconds: float = 60) -> CallEnded:
        assert self.running is not None
        await self.until(self.running.done, seconds)
        assert isinstance(self.events[-1], CallEnded)
        assert self.running.result() is self.events[-1].cause
        return self.events[-1]

    def words(self) -> list[tuple[str, str, bool]]:
        latest = {
            event.item_id: event for event in self.events if isinstance(event, TranscriptUpdated)
        }
        entries = sorted(latest.values(), key=lambda entry: entry.position)
        return [(entry.speaker.value, entry.text, entry.final) for entry in entries]

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def _new_session(self, account: ProviderAccess, context: str) -> ScriptedSession:
        session = ScriptedSession(context, account_id=account.account_id)
        self.sessions.append(session)
        if self.prepare:
            self.prepare.pop(0)(session)
        return session


def answers(session: ScriptedSession, item_id: str, text: str, usage=None) -> None:
    response = f"r_{item_id}"
    session.emit(
        ResponseStarted(response), AgentItem(item_id, None, response),
        AgentText(item_id, text[:5]), AgentText(item_id, text[5:]), AgentTextDone(item_id, text),
        ResponseFinished(response_id=response, status="completed", usage=usage),
    )  # fmt: skip


@pytest.fixture
async def room():
    made = Room()
    yield made
    if made.running is not None and not made.running.done():
        made.chat.hang_up(EndCause.WORKER_STOPPED)
        await made.ended()


async def test_the_greeting_is_there_at_once_and_the_agent_knows_of_it(room: Room):
    session = await room.start()
    assert isinstance(room.events[0], CallAnswered)
    assert room.words() == [("agent", GREETING, True)]
    assert session.did("said") == [GREETING]


async def test_what_is_written_is_answered_and_counted(room: Room):
    session = await room.start()
    assert room.chat.write("u1", QUESTION) == ""
    await room.run(0.2)
    assert session.did("send_text") == [QUESTION]
    usage = UsageReported(model="m", output_text_tokens=7)
    answers(session, "a1", "From nine to five.", usage)
    await room.run(0.5)
    assert room.words()[1:] == [("caller", QUESTION, True), ("agent", "From nine to five.", True)]
    assert room.of(UsageReported) == [usage]


async def test_words_appear_while_they_are_written(room: Room):
    session = await room.start()
    session.emit(ResponseStarted("r"), AgentItem("a1", None, "r"), AgentText("a1", "From nine"))
    await room.run(0.5)
    assert room.words()[-1] == ("agent", "From nine", False)


async def test_what_was_written_before_there_is_a_session_is_not_lost(room: Room):
    let = asyncio.Event()
    room.prepare = [lambda session: setattr(session, "on_open", let.wait)]
    session = await room.start()
    room.chat.write("u1", QUESTION)
    await room.run(0.5)
    let.set()
    await room.run(0.5)
    assert session.did("send_text") == [QUESTION]


async def test_a_session_that_breaks_is_replaced_and_asked_again(room: Room):
    session = await room.start()
    room.chat.write("u1", QUESTION)
    await room.run(0.2)
    session.emit(Ended(problem=SessionError(ProblemKind.DROPPED, "gone")))
    await room.until(lambda: len(room.sessions) == 2)
    await room.run(0.5)
    second = room.sessions[-1]
    assert QUESTION in second.context
    assert second.did("respond") == [None]
    answers(second, "a1", "From nine to five.")
    await room.run(0.5)
    assert room.words()[-1] == ("agent", "From nine to five.", True)


async def test_the_agent_may_end_the_chat(room: Room):
    session = await room.start()
    session.emit(ResponseStarted("r"), ToolRequested("t1", "i1", "hang_up", "{}"))
    session.emit(ResponseFinished(response_id="r", status="completed", had_tool_calls=True))
    assert (await room.ended()).cause is EndCause.AGENT_HUNG_UP
    assert room.of(ToolUpdated)[-1].state.value == "succeeded"


async def test_nobody_writes_any_more(room: Room):
    await room.start()
    room.chat.write("u1", QUESTION)
    answers(room.sessions[-1], "a1", "From nine to five.")
    await room.run(0.5)
    room.clock.time += 590
    await room.run(0.5)
    assert not room.running.done()
    assert (await room.ended(20)).cause is EndCause.ABANDONED
    assert room.chat.write("u2", "Hello?") == "The chat is over."


async def test_a_provider_that_writes_nothing_has_failed(room: Room):
    await room.start()
    room.chat.write("u1", QUESTION)
    end = await room.ended(40)
    assert (end.cause, end.detail) == (
        EndCause.PROVIDER_FAILED, "The AI provider did not answer.",
    )  # fmt: skip


@pytest.mark.parametrize("answers_in_time", [True, False])
async def test_the_second_account_answers_where_the_first_fails(answers_in_time: bool):
    second = ProviderAccess(account_id="second", name="Second", url="ws://y", api_key="k2")
    room = Room(fallback=second)
    session = await room.start()
    room.chat.write("u1", QUESTION)
    await room.run(0.2)
    if answers_in_time:
        session.emit(Problem(kind=ProblemKind.QUOTA, message="no credit"))
    await room.until(lambda: len(room.sessions) == 2)
    await room.run(20)
    session = room.sessions[-1]
    assert (session.account_id, session.did("respond")) == ("second", [None])
    answers(session, "a1", "From nine to five.")
    await room.run(20)
    assert room.words()[-1] == ("agent", "From nine to five.", True)
    assert [note.text for note in room.of(CallNoted)] == ["Second"]
    assert [problem.fatal for problem in room.of(ProviderProblem)] == [False]
    room.chat.hang_up(EndCause.OPERATOR_HUNG_UP)
    await room.ended()


@pytest.mark.parametrize("kind", [ProblemKind.KEY_REFUSED, ProblemKind.QUOTA])
async def test_a_provider_that_takes_nobody_in_ends_the_chat_in_plain_words(kind: ProblemKind):
    room = Room()
    room.prepare = failing(SessionError(kind, "no"))
    await room.start()
    end = await room.ended()
    assert end.cause is EndCause.PROVIDER_FAILED
    assert room.of(ProviderProblem)[-1].fatal


async def test_a_problem_that_nothing_mends_ends_the_chat(room: Room):
    session = await room.start()
    session.emit(Problem(kind=ProblemKind.QUOTA, message="no credit"))
    assert (await room.ended()).cause is EndCause.PROVIDER_FAILED


async def test_a_person_ends_it_and_asks_for_nothing_else(room: Room):
    await room.start()
    assert await room.chat.say("c1", "Hello") == NO_VOICE
    assert await room.chat.mute("c1", True) == NO_VOICE
    assert await room.chat.transfer("c1", "sip:a@192.0.2.1", "") == NO_VOICE
    room.chat.hang_up(EndCause.OPERATOR_HUNG_UP, "c2")
    assert (await room.ended()).cause is EndCause.OPERATOR_HUNG_UP
    assert room.sessions[-1].closed == 1


@pytest.mark.parametrize("dialect", ["openai", "openai-beta"])
async def test_a_chat_with_the_sandbox(dialect: str):
    async with SandboxServer() as sandbox:
        plan = chat_plan(
            provider=ProviderAccess(
                account_id="a", name="p", url=sandbox.url, api_key="sandbox-key"
            )
        )
        settings = msgspec.structs.replace(
            plan.settings, dialect=dialect, voice="marin", instructions="We open at nine."
        )
        plan = msgspec.structs.replace(plan, settings=settings)
        events: list[AnyEvent] = []
        clock = Ticker()
        clock.start()
        chat = Chat(plan=plan, new_session=session_maker(plan), emit=events.append, clock=clock)
        running = asyncio.create_task(chat.run())
        chat.write("u1", "my name is ada")

        def answered() -> bool:
            return any(
                isinstance(event, TranscriptUpdated)
                and event.speaker is Speaker.AGENT
                and event.final
                and "Hello Ada" in event.text
                for event in events
            )

        await until_real(answered)
        chat.hang_up(EndCause.OPERATOR_HUNG_UP)
        assert await running is EndCause.OPERATOR_HUNG_UP
        clock.stop()
        assert not [event for event in events if isinstance(event, ProviderProblem)]
        (usage,) = (event for event in events if isinstance(event, UsageReported))
        assert usage.output_text_tokens > 0
        assert usage.output_audio_tokens == 0
