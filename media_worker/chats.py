"""Chats with agents, from pages of the portal."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
import structlog

from media_worker.contract import (
    AnyEvent,
    CallEnded,
    CallPlan,
    EndCause,
    SendChatText,
    StartChat,
)
from media_worker.control.admission import Admission, AdmissionError
from media_worker.conversation.chat import Chat
from media_worker.conversation.ticker import Ticker
from media_worker.desk import MOST_CHARACTERS, NO_SUCH_CALL, NO_WORDS, Desk
from media_worker.realtime.dialects import session_maker
from media_worker.variables import filled

log = structlog.get_logger(__name__)

MOST_CHATS: Final = 50
FULL: Final = "This media worker has as many chats as it can take."
DRAINING: Final = "This media worker takes no new chat any more."
NOT_WAITING: Final = "This chat does not wait to be opened any more."


class Chats:
    """`spawn` runs work beside the others, `emit` takes what happened in a chat."""

    def __init__(
        self,
        admission: Admission,
        emit: Callable[[str, AnyEvent], None],
        *,
        clock: Ticker,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        is_draining: Callable[[], bool],
    ) -> None:
        self.by_id: dict[str, Chat] = {}
        self._admission = admission
        self._emit = emit
        self._clock = clock
        self._spawn = spawn
        self._is_draining = is_draining
        self._opening: set[str] = set()

    def join(self, desk: Desk) -> None:
        """Take on the commands that are about chats."""
        desk.rooms.append(self.by_id)
        desk.take_on(StartChat, self._start)
        desk.take_on(SendChatText, self._write)

    def hang_up_all(self, cause: EndCause) -> None:
        for chat in list(self.by_id.values()):
            chat.hang_up(cause)

    async def _start(self, command: StartChat) -> str:
        call_id = command.call_id
        if self._is_draining():
            return DRAINING
        if call_id in self.by_id or call_id in self._opening:
            return NOT_WAITING
        if len(self.by_id) + len(self._opening) >= MOST_CHATS:
            return FULL
        self._opening.add(call_id)
        try:
            plan = await self._admission.waiting_plan(call_id)
        except AdmissionError as error:
            return error.detail
        finally:
            self._opening.discard(call_id)
        if not isinstance(plan, CallPlan):
            return plan.detail or plan.reason.value if plan else NOT_WAITING
        self._open(plan)
        return ""

    async def _write(self, command: SendChatText) -> str:
        chat = self.by_id.get(command.call_id)
        if chat is None:
            return NO_SUCH_CALL
        text = command.text.strip()[:MOST_CHARACTERS]
        return chat.write(command.item_id, text) if text else NO_WORDS

    def _open(self, plan: CallPlan) -> None:
        # There is no line that could be transferred, so the agent shall not promise it.
        tools = msgspec.structs.replace(plan.tools, transfer_targets=())
        plan = filled(msgspec.structs.replace(plan, tools=tools))
        chat = self.by_id[plan.call_id] = Chat(
            plan=plan,
            new_session=session_maker(plan),
            emit=lambda event: self._emit(plan.call_id, event),
            clock=self._clock,
        )
        self._spawn(self._hold(chat))

    async def _hold(self, chat: Chat) -> None:
        call_id = chat.plan.call_id
        structlog.contextvars.bind_contextvars(call=call_id)
        try:
            log.info("chat.ended", cause=await chat.run())
        except Exception:
            log.exception("worker.chat_failed")
            self._emit(call_id, CallEnded(cause=EndCause.INTERNAL_ERROR))
        finally:
            self.by_id.pop(call_id, None)
