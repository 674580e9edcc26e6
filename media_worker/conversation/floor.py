"""The agent's right to speak: what it owes the caller, and what is asked of the provider for it."""

from __future__ import annotations

from typing import Final

from media_worker.conversation.fallback import Duty
from media_worker.conversation.requests import Requests
from media_worker.conversation.ticker import Ticker
from media_worker.conversation.turns import TurnKeeper

MUTED: Final = '{"ok":false,"message":"A person has taken over; nothing was done."}'


class Floor:
    """While people mute the agent nothing is asked; what it owes by then waits."""

    def __init__(self, keeper: TurnKeeper, duty: Duty, requests: Requests, clock: Ticker) -> None:
        self.is_muted = False
        self._keeper = keeper
        self._duty = duty
        self._requests = requests
        self._clock = clock
        self._tools_asked: set[str] = set()
        """Tool calls of this session; the next one would not know them."""

    @property
    def is_guarded(self) -> bool:
        """The provider neither answers nor interrupts by itself."""
        return self._keeper.guarded or self.is_muted

    def session_began(self) -> None:
        """It was opened with the guard of then, which may have changed meanwhile."""
        self._tools_asked.clear()
        if not self.is_guarded:
            self.lift_guard()
        elif self.is_muted:
            self.guard()

    def guard(self) -> None:
        self._requests.put(lambda session: session.set_guard(True))

    def lift_guard(self) -> None:
        if not self.is_muted:
            self._requests.put(lambda session: session.set_guard(False))

    def ask_for_answer(self) -> None:
        if self._owe():
            self._requests.put(lambda session: session.respond())

    def commit(self) -> None:
        """The caller's turn is over, by our own VAD."""
        answers = self._owe()
        self._requests.put(lambda session: session.commit_turn(respond=answers))

    def tool_asked(self, tool_call_id: str) -> None:
        self._tools_asked.add(tool_call_id)

    def decline_tool(self, tool_call_id: str) -> None:
        """A muted agent does nothing either."""
        self._requests.put(lambda session: session.tool_result(tool_call_id, MUTED, respond=False))

    def reply(self, tool_call_id: str, output: str) -> None:
        """Give the agent a tool's result; it then speaks."""
        if tool_call_id not in self._tools_asked:
            self.ask_for_answer()
            return
        speaks = self._owe()
        self._requests.put(
            lambda session: session.tool_result(tool_call_id, output, respond=speaks)
        )

    def _owe(self) -> bool:
        """The agent owes an answer. Whether it is asked for now; a muted agent's has to wait."""
        if self.is_muted:
            self._duty.is_owed = True
        else:
            self._duty.owe(self._clock.now())
        return not self.is_muted
