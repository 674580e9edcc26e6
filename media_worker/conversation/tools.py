"""What the agent may do: hang up, and connect the caller to somebody else (blind transfer)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import msgspec
import structlog

from media_worker.contract import EndCause, ToolSet, ToolState, ToolUpdated, TransferTarget
from media_worker.conversation.leg import TransferOutcome
from media_worker.conversation.timings import CallTime
from media_worker.realtime.session import ToolRequested
from media_worker.realtime.tools import HANG_UP, TRANSFER_CALL

log = structlog.get_logger(__name__)

MAX_ARGUMENT_BYTES: Final = 16 * 1024
TRANSFER_SECONDS: Final = 30.0
"""For the REFER and the other side's attempt."""
LAST_WORDS_SECONDS: Final = 30.0
"""The longest sentence that a hang-up or a transfer waits for."""
PERSONS_PATIENCE_SECONDS: Final = 5.0
"""A transfer that a person asks for waits no longer for the agent to finish."""
FALLBACK: Final = "fallback"
"""Id of the transfer that follows when no provider works."""
BUSY: Final = "Something else is being done right now."
CALL_ENDED: Final = "The call ended before this was done."


class Line(Protocol):
    """What tools ask of the telephone side."""

    async def transfer(self, uri: str, *, timeout_seconds: float) -> TransferOutcome: ...


class Stage(Protocol):
    """What tools ask of the conversation that they are part of."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> object: ...

    async def quiet(self, seconds: float) -> bool:
        """Wait until the agent has said all it had to; False when that takes too long."""
        ...

    def reply(self, tool_call_id: str, output: str) -> None:
        """Give the agent a result; it then speaks."""
        ...

    def end(self, cause: EndCause, detail: str) -> None: ...


class Tools:
    """Runs one tool at a time; `emit` gets each state of each call."""

    def __init__(
        self,
        tools: ToolSet,
        leg: Line,
        stage: Stage,
        time: CallTime,
        emit: Callable[[ToolUpdated], None],
    ) -> None:
        self._targets = tools.transfer_targets
        self._may_hang_up = tools.hang_up
        self._leg = leg
        self._stage = stage
        self._time = time
        self._emit = emit
        self._known: set[str] = set()
        self._running: ToolUpdated | None = None
        self._hanging_up = False
        self._outcome: asyncio.Future[bool] | None = None

    @property
    def is_running(self) -> bool:
        return self._running is not None

    def request(self, asked: ToolRequested, position: int) -> None:
        """The agent calls a tool. A call with an id that was seen before is the same call."""
        if asked.tool_call_id in self._known:
            return
        self._known.add(asked.tool_call_id)
        arguments = _object(asked.arguments)
        self._running, before = (
            ToolUpdated(
                tool_call_id=asked.tool_call_id,
                position=position,
                name=asked.name[:100],
                arguments=arguments or {},
                state=ToolState.RUNNING,
                offset_ms=self._time.ms(),
            ),
            self._running,
        )
        complaint = self._complaint(asked.name, arguments, is_busy=before is not None)
        if complaint:
            refused, self._running = self._running, before
            self._finish(refused, ToolState.FAILED, complaint)
            self._stage.reply(asked.tool_call_id, _output(ok=False, message=complaint))
            return
        self._emit(self._running)
        if asked.name == HANG_UP:
            self._hanging_up = True
            self._stage.spawn(self._hang_up(self._running))
        else:
            target = self._target(arguments)
            assert target is not None  # noqa: S101 - _complaint has looked
            self._stage.spawn(self._transfer_by_agent(self._running, target))

    async def transfer(self, position: int, uri: str, name: str, command_id: str = "") -> str:
        """A person connects the caller; without a command, the plan for when no provider works.
        Returns when that has come to an end: why it failed, in plain words, or nothing. The agent
        is not told."""
        if self._running is not None:
            return BUSY
        target = TransferTarget(name=name or uri, uri=uri)
        running = self._running = ToolUpdated(
            tool_call_id=command_id or FALLBACK,
            position=position,
            name=TRANSFER_CALL,
            arguments={"target": target.name},
            state=ToolState.RUNNING,
            offset_ms=self._time.ms(),
            command_id=command_id,
        )
        self._emit(running)
        return await self._transfer(running, target, patience=PERSONS_PATIENCE_SECONDS)

    def interrupted(self, who: str = "The caller went on speaking") -> None:
        """Somebody cuts the agent off while it says goodbye: there is more to talk about."""
        if self._hanging_up and self._running is not None:
            self._hanging_up = False
            self._fail(f"{who}, so the call was not ended.")

    async def transfer_settled(self) -> bool:
        """Wait for a transfer that is under way; whether one has succeeded."""
        return self._outcome is not None and await asyncio.shield(self._outcome)

    def call_ended(self) -> None:
        """Whatever still runs has failed."""
        if self._running is not None:
            self._finish(self._running, ToolState.FAILED, CALL_ENDED)
            self._running = None

    # --- the two tools ---------------------------------------------------------------------------

    async def _hang_up(self, running: ToolUpdated) -> None:
        await self._stage.quiet(LAST_WORDS_SECONDS)
        if self._running is not running:
            return  # the caller went on speaking, or the call has ended
        self._running = None
        self._finish(running, ToolState.SUCCEEDED, "The agent ended the call.")
        self._stage.end(EndCause.AGENT_HUNG_UP, "")

    async def _transfer_by_agent(self, running: ToolUpdated, target: TransferTarget) -> None:
        await self._transfer(running, target, patience=LAST_WORDS_SECONDS)

    async def _transfer(
        self, running: ToolUpdated, target: TransferTarget, *, patience: float
    ) -> str:
        """What went wrong, or nothing. Waits so many seconds for the agent's last words."""
        await self._stage.quiet(patience)
        if self._running is not running:
            return CALL_ENDED
        failure = ""
        self._outcome = asyncio.get_running_loop().create_future()
        outcome = await self._try_transfer(target)
        if self._running is running:
            if outcome.succeeded:
                self._running = None
                said = f"The caller was connected to {target.name}."
                self._finish(running, ToolState.SUCCEEDED, said)
                # RFC 5589 section 6.1: the transferor ends its dialog once the NOTIFY says 200
                self._stage.end(EndCause.TRANSFERRED, f"Connected to {target.name}.")
            else:
                failure = _failure(target.name, outcome)
                self._fail(failure)
        elif not outcome.succeeded:
            failure = CALL_ENDED
        self._outcome.set_result(outcome.succeeded)
        if not outcome.succeeded:
            self._outcome = None
        return failure

    async def _try_transfer(self, target: TransferTarget) -> TransferOutcome:
        try:
            return await self._leg.transfer(target.uri, timeout_seconds=TRANSFER_SECONDS)
        except Exception:
            log.exception("tools.transfer_failed")
            return TransferOutcome(succeeded=False, sip_status=500, reason="")

    # --- results ---------------------------------------------------------------------------------

    def _fail(self, message: str) -> None:
        running, self._running = self._running, None
        assert running is not None  # noqa: S101 - callers have looked
        self._finish(running, ToolState.FAILED, message)
        if running.tool_call_id in self._known:
            self._stage.reply(running.tool_call_id, _output(ok=False, message=message))

    def _finish(self, running: ToolUpdated, state: ToolState, result: str) -> None:
        duration = max(0, self._time.ms() - running.offset_ms)
        self._emit(
            msgspec.structs.replace(running, state=state, result=result, duration_ms=duration)
        )

    def _complaint(self, name: str, arguments: dict[str, Any] | None, *, is_busy: bool) -> str:
        """Why this call cannot be made; empty when it can."""
        if name == HANG_UP and self._may_hang_up:
            return BUSY if is_busy else ""
        if name != TRANSFER_CALL or not self._targets:
            return "There is no such tool."
        if self._target(arguments) is None:
            names = ", ".join(target.name for target in self._targets)
            return f"The target must be one of: {names}."
        return BUSY if is_busy else ""

    def _target(self, arguments: dict[str, Any] | None) -> TransferTarget | None:
        wanted = str((arguments or {}).get("target", "")).strip().casefold()
        return next((one for one in self._targets if one.name.casefold() == wanted), None)


def _object(arguments: str) -> dict[str, Any] | None:
    """The arguments as a JSON object; None for anything else."""
    if len(arguments) > MAX_ARGUMENT_BYTES:
        return None
    try:
        decoded = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _output(*, ok: bool, message: str) -> str:
    return msgspec.json.encode({"ok": ok, "message": message}).decode()


def _failure(name: str, outcome: TransferOutcome) -> str:
    """RFC 3261 section 21, as one says it."""
    match outcome.sip_status:
        case 486 | 600:
            return f"{name} is busy."
        case 408 | 480 | 487:
            return f"{name} did not answer."
        case 404 | 410 | 484 | 604:
            return f"The number of {name} does not exist."
        case 405:
            return "This call cannot be transferred."
        case 403 | 603:
            return f"{name} did not take the call."
        case status:
            return f"{name} could not be reached (SIP {status})."
