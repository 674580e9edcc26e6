"""Where the web side's commands arrive: each is given to whom it concerns, and its outcome said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from media_worker.calls import Calls
from media_worker.contract import CheckAccount, Command, EndCause, HangUpCall

NO_SUCH_CALL: Final = "This worker has no such call."
UNKNOWN: Final = "This worker does not know this command."
_BASIC: Final = (HangUpCall, CheckAccount)
"""Every build knows them; Hello does not name them."""


class Desk:
    """Each command's doer says why it could not be done, in one plain sentence, or nothing.

    `check` runs the account check of this id.
    """

    def __init__(self, calls: Calls, check: Callable[[str], Awaitable[str]]) -> None:
        self._calls = calls
        self._doers: dict[type[Command], Callable[[Any], Awaitable[str]]] = {}
        self.take_on(HangUpCall, self._hang_up)
        self.take_on(CheckAccount, lambda command: check(command.check_id))

    def take_on(self, kind: type[Command], do: Callable[[Any], Awaitable[str]]) -> None:
        """From now on commands of this kind are done."""
        self._doers[kind] = do

    @property
    def tags(self) -> tuple[str, ...]:
        """Of the commands that Hello names."""
        return tuple(str(kind.__struct_config__.tag) for kind in self._doers if kind not in _BASIC)

    async def do(self, command: Command) -> str:
        """Why it could not be done, in plain words; empty when it is."""
        do = self._doers.get(type(command))
        return UNKNOWN if do is None else await do(command)

    async def _hang_up(self, command: HangUpCall) -> str:
        conversation = self._calls.by_id.get(command.call_id)
        if conversation is None:
            return NO_SUCH_CALL
        conversation.hang_up(EndCause.OPERATOR_HUNG_UP)
        return ""
