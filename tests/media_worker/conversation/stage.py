"""A call without a network: real capture and playout on a virtual media clock, scripted session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import numpy as np

from media_worker.audio import outlet as outlet_module
from media_worker.audio.activity import VoiceActivity
from media_worker.audio.capture import Capture
from media_worker.audio.neural import NeuralVad
from media_worker.audio.playout import Playout
from media_worker.contract import (
    AnyEvent,
    AudioFormat,
    CallEnded,
    CallPlan,
    EndCause,
    Greeting,
    PromptKind,
    ProviderAccess,
    Settings,
    ToolSet,
    ToolUpdated,
    TranscriptUpdated,
    TransferTarget,
    UsageReported,
    VadMode,
)
from media_worker.conversation.conversation import Conversation
from media_worker.conversation.leg import (
    LegAnswered,
    LegEnded,
    LegEvent,
    LineQuality,
    TransferOutcome,
)
from media_worker.conversation.ticker import Ticker
from media_worker.realtime.session import (
    AgentAudio,
    AgentAudioDone,
    AgentItem,
    AgentText,
    AgentTextDone,
    CallerText,
    Capabilities,
    Ended,
    Heard,
    ResponseFinished,
    ResponseStarted,
    SessionError,
    SessionEvent,
    SessionInfo,
    SpeechStarted,
    SpeechStopped,
    TurnCommitted,
)

T = TypeVar("T")
FRAME_MS = 20
RATE = 8000
GREETING = "Good morning, this is the practice of Doctor Ada, how can I help you?"
APOLOGY = "I am sorry, there is a technical problem."


def tone(ms: int, level: int = 8000) -> bytes:
    """PCM at 8 kHz that any VAD takes for something loud."""
    time = np.arange(ms * RATE // 1000) / RATE
    wave = sum(np.sin(2 * np.pi * pitch * time) for pitch in (180, 360, 720, 1440))
    return (wave / 4 * level).astype("<i2").tobytes()


def is_sound(frame: bytes) -> bool:
    return bool(np.abs(np.frombuffer(frame, dtype="<i2")).max() > 500)


class VirtualTicker(Ticker):
    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0

    def now(self) -> float:
        return self.time


class FakeLeg:
    """A telephone that does what the test says; its media thread is `Stage.run`."""

    clock_rate = RATE
    capture_delay_ms = 0.0

    def __init__(self) -> None:
        self.capture = Capture(RATE)
        self.outlet = outlet_module.FrameQueue(RATE)
        self.playout = Playout(RATE, self.outlet)
        self.queue: asyncio.Queue[LegEvent] = asyncio.Queue()
        self.answers_by_itself = True
        self.answered = 0
        self.answered_for: AudioFormat | None = None
        self.hung_up: list[int] = []
        self.line: LineQuality | Exception | None = None
        self.transfers: list[str] = []
        self.outcome: asyncio.Future[TransferOutcome] = asyncio.get_running_loop().create_future()

    async def answer(self, audio_format: AudioFormat | None = None) -> None:
        self.answered += 1
        self.answered_for = audio_format
        if self.answers_by_itself:
            self.queue.put_nowait(LegAnswered("PCMU/8000"))

    async def events(self) -> AsyncIterator[LegEvent]:
        while True:
            event = await self.queue.get()
            yield event
            if isinstance(event, LegEnded):
                return

    async def transfer(self, uri: str, *, timeout_seconds: float) -> TransferOutcome:
        self.transfers.append(uri)
        return await self.outcome

    async def quality(self) -> LineQuality | None:
        if isinstance(self.line, Exception):
            raise self.line
        return self.line

    async def hang_up(self, status: int = 0) -> None:
        self.hung_up.append(status)
        self.queue.put_nowait(LegEnded(by_caller=False, sip_status=200, reason=""))


class ScriptedSession:
    """A provider that says what the test wants and remembers what it was told."""

    def __init__(
        self, context: str, fmt: AudioFormat = AudioFormat.PCMU, account_id: str = "acc"
    ) -> None:
        self.context = context
        self.account_id = account_id
        self.capabilities = Capabilities(formats=tuple(AudioFormat))
        self.info = SessionInfo(session_id="sess_1", model="m", input_format=fmt, output_format=fmt)
        self.on_open: Callable[[], Awaitable[object]] | None = None
        self.on_close: Callable[[], Awaitable[object]] | None = None
        self.asked: list[tuple[str, Any]] = []
        self.asked_for = ""
        """For whom the last words were asked."""
        self.sent = bytearray()
        self.sent_at_commit = 0
        self.chunks: list[int] = []
        """Bytes of each piece of the caller's audio."""
        self.opened_guarded: bool | None = None
        self.closed = 0
        self._queue: asyncio.Queue[SessionEvent] = asyncio.Queue()

    # --- RealtimeSession -------------------------------------------------------------------------

    async def open(self, *, guarded: bool) -> SessionInfo:
        self.opened_guarded = guarded
        if self.on_open is not None:
            await self.on_open()
        return self.info

    async def set_guard(self, guarded: bool) -> None:
        self.asked.append(("set_guard", guarded))

    def send_audio(self, data: bytes) -> None:
        self.sent += data
        self.chunks.append(len(data))

    async def events(self) -> AsyncIterator[SessionEvent]:
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, Ended):
                return

    async def say(self, greeting: Greeting, asked_for: str = "") -> None:
        self.asked.append(("say", greeting.text))
        self.asked_for = asked_for

    async def said(self, text: str) -> None:
        self.asked.append(("said", text))

    async def send_text(self, text: str) -> None:
        self.asked.append(("send_text", text))

    async def respond(self) -> None:
        self.asked.append(("respond", None))

    async def commit_turn(self, *, respond: bool = True) -> None:
        self.asked.append(("commit_turn", None if respond else "unanswered"))
        self.sent_at_commit = len(self.sent)

    async def interrupt(self, heard: Heard | None) -> None:
        self.asked.append(("interrupt", heard))

    async def tool_result(self, tool_call_id: str, output: str, *, respond: bool) -> None:
        self.asked.append(("tool_result", (tool_call_id, msgspec.json.decode(output), respond)))

    async def close(self) -> None:
        self.closed += 1
        if self.on_close is not None:
            await self.on_close()

    # --- the script ------------------------------------------------------------------------------

    def emit(self, *events: SessionEvent) -> None:
        for event in events:
            self._queue.put_nowait(event)

    def did(self, name: str) -> list[Any]:
        """The arguments of each request of this name, in order."""
        return [argument for asked, argument in self.asked if asked == name]

    def speak(
        self,
        item_id: str,
        text: str,
        ms: int,
        *,
        previous: str | None = None,
        finish: bool = True,
        usage: UsageReported | None = None,
        end_text: bool = True,
        asked_for: str = "",
    ) -> None:
        """A whole response of `ms` of sound, faster than real time, as a provider sends it."""
        response_id = f"resp_{item_id}"
        self.emit(
            ResponseStarted(response_id, asked_for), AgentItem(item_id, previous, response_id)
        )
        self.emit(*(AgentText(item_id, word) for word in text.split(" ", 1)[:1]))
        rest = text[len(text.split(" ", 1)[0]) :]
        if rest:
            self.emit(AgentText(item_id, rest))
        sound = speech_bytes(self.info.output_format, ms)
        for start in range(0, len(sound), 1600):
            self.emit(AgentAudio(item_id, sound[start : start + 1600]))
        if finish:
            self.emit(AgentAudioDone(item_id))
            if end_text:
                self.emit(AgentTextDone(item_id, text))
            self.emit(
                ResponseFinished(
                    response_id=response_id, status="completed", had_audio=True, usage=usage
                )
            )

    def caller_turn(
        self, item_id: str, text: str | None, *, previous: str | None = None, at_ms: int = 0
    ) -> None:
        """The caller begins and stops; the words come at once, unless `text` is None."""
        self.emit(SpeechStarted(item_id, at_ms), SpeechStopped(item_id, at_ms + 900))
        self.emit(TurnCommitted(item_id, previous))
        if text is not None:
            self.emit(CallerText(item_id, text, final=True))


def speech_bytes(fmt: AudioFormat, ms: int) -> bytes:
    if fmt is AudioFormat.PCMU:
        return bytes([0x10, 0x90] * (ms * 4))  # loud in mu-law
    time = np.arange(ms * 24) / 24000
    return (np.sin(2 * np.pi * 300 * time) * 8000).astype("<i2").tobytes()


def make_plan(
    *, tools: ToolSet | None = None, max_duration_seconds: int = 3600, greets: bool = True,
    consent: str = "", **settings: Any,
) -> CallPlan:  # fmt: skip
    return CallPlan(
        call_id="call", tenant_id="t", number_id="n", agent_id="a", agent_name="Ada", revision=1,
        language="en",
        greeting=Greeting(language="en", text=GREETING) if greets else None,
        consent=Greeting(language="en", text=consent) if consent else None,
        apology=Greeting(language="en", text=APOLOGY),
        provider=ProviderAccess(account_id="acc", name="p", url="ws://x", api_key="k"),
        settings=Settings(model="m", voice="v", **settings),
        tools=tools or ToolSet(
            transfer_targets=(TransferTarget(name="Sales", uri="sip:sales@192.0.2.1"),)
        ),
        max_duration_seconds=max_duration_seconds,
    )  # fmt: skip


class Stage:
    """One call under test. Time passes only in `run` and `until`."""

    def __init__(
        self,
        monkeypatch: Any,
        plan: CallPlan | None = None,
        neural: NeuralVad | None = None,
        prompts: dict[str, bytes] | None = None,
    ) -> None:
        self.clock = VirtualTicker()
        activity = VoiceActivity(RATE, neural)
        self.clock.before(activity.listen)
        monkeypatch.setattr(outlet_module, "monotonic", self.clock.now)
        self.plan = plan or make_plan()
        self.leg = FakeLeg()
        self.events: list[AnyEvent] = []
        self.sessions: list[ScriptedSession] = []
        self.prepare: list[Callable[[ScriptedSession], None]] = []
        """What is done to the first, second... session before it is opened."""
        self.output_format = AudioFormat.PCMU
        self.apology_pcm: bytes | Exception = tone(1000)
        self.heard: list[bytes] = []
        self.caller_says = b""
        self.frames = 0
        self.conversation = Conversation(
            plan=self.plan, leg=self.leg, new_session=self._new_session,
            apology=self._apology, emit=self.events.append, clock=self.clock,
            activity=activity,
            prompts={PromptKind(kind): pcm for kind, pcm in (prompts or {}).items()},
        )  # fmt: skip
        self.running: asyncio.Task[EndCause] | None = None

    @property
    def session(self) -> ScriptedSession:
        return self.sessions[-1]

    async def start(self) -> ScriptedSession:
        """Answered, session open, greeting asked for."""
        self.running = asyncio.create_task(self.conversation.run())
        await self.until(lambda: bool(self.sessions) and bool(self.answered_events))
        await self.settle()
        return self.session

    async def greeted(self, ms: int = 3000) -> ScriptedSession:
        """The greeting has been spoken and heard to its end."""
        session = await self.start()
        session.speak("greeting", GREETING, ms)
        await self.run(ms + 100)
        return session

    @property
    def answered_events(self) -> list[AnyEvent]:
        return [event for event in self.events if type(event).__name__ == "CallAnswered"]

    async def settle(self) -> None:
        """Let everybody do what can be done without time passing."""
        for _ in range(25):
            await asyncio.sleep(0)

    async def run(self, ms: int) -> None:
        """Let `ms` of the call pass, frame by frame."""
        await self.settle()
        for _ in range(ms // FRAME_MS):
            await self._frame()

    async def until(self, condition: Callable[[], bool], limit_ms: int = 20_000) -> None:
        await self.settle()
        for _ in range(limit_ms // FRAME_MS):
            if condition():
                return
            await self._frame()
        raise AssertionError(f"not so within {limit_ms} ms of the call")

    async def ended(self, limit_ms: int = 20_000) -> CallEnded:
        """Let the call go on to its end; its last event."""
        assert self.running is not None
        running = self.running
        await self.until(running.done, limit_ms)
        assert isinstance(self.events[-1], CallEnded)
        assert running.result() is self.events[-1].cause
        return self.events[-1]

    async def close(self) -> None:
        if self.running is not None and not self.running.done():
            self.conversation.hang_up(EndCause.WORKER_STOPPED)
            await self.ended()

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def entries(self) -> list[TranscriptUpdated]:
        """The transcript as the web side would show it: latest of each item, in order."""
        latest = {event.item_id: event for event in self.of(TranscriptUpdated)}
        return sorted(latest.values(), key=lambda entry: entry.position)

    def entry(self, item_id: str) -> TranscriptUpdated:
        return next(entry for entry in self.entries() if entry.item_id == item_id)

    def tools(self) -> list[tuple[str, str]]:
        return [(event.state.value, event.result) for event in self.of(ToolUpdated)]

    @property
    def heard_ms(self) -> int:
        """Milliseconds of sound that the caller has heard."""
        return sum(FRAME_MS for frame in self.heard if is_sound(frame))

    async def _frame(self) -> None:
        self.clock.time += FRAME_MS / 1000
        self.frames += 1
        self.heard.append(self.leg.outlet.next_frame())
        size = RATE * FRAME_MS // 1000 * 2
        frame, self.caller_says = self.caller_says[:size], self.caller_says[size:]
        self.leg.capture.put(frame.ljust(size, b"\0"))
        self.clock.tick()
        await self.settle()

    def _new_session(self, account: ProviderAccess, context: str) -> ScriptedSession:
        session = ScriptedSession(context, self.output_format, account.account_id)
        self.sessions.append(session)
        if self.prepare:
            self.prepare.pop(0)(session)
        return session

    async def _apology(self) -> bytes:
        if isinstance(self.apology_pcm, Exception):
            raise self.apology_pcm
        return self.apology_pcm


def failing(*errors: SessionError) -> list[Callable[[ScriptedSession], None]]:
    """For `Stage.prepare`: sessions that fail to open, one after the other."""

    def prepare(error: SessionError) -> Callable[[ScriptedSession], None]:
        async def fail() -> None:
            raise error

        return lambda session: setattr(session, "on_open", fail)

    return [prepare(error) for error in errors]


LOCAL = VadMode.LOCAL
