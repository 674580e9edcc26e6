"""Where the web side's commands arrive: each is given to whom it concerns, and its outcome said."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from media_worker.calls import Calls
from media_worker.contract import (
    CheckAccount,
    Command,
    EndCause,
    HangUpCall,
    MuteAgent,
    SayText,
    TransferCall,
)

NO_SUCH_CALL: Final = "This worker has no such call."
UNKNOWN: Final = "This worker does not know this command."
NO_WORDS: Final = "There is nothing to say."
NO_ADDRESS: Final = "The call can only be transferred to a sip:, sips: or tel: address."
MOST_CHARACTERS: Final = 2000
"""Of what a person has the agent say."""
ADDRESS: Final = re.compile(r"(?i:sips?|tel):[^\s<>\"\x00-\x1f]{1,250}")
"""A URI that may stand in a REFER; whether somebody is there, the telephone side finds out."""
_BASIC: Final = (HangUpCall, CheckAccount)
"""Every build knows them; Hello does not name them."""


class Talk(Protocol):
    """A conversation by voice or in writing: what people may ask of it."""

    def hang_up(self, cause: EndCause, command_id: str = "") -> None: ...

    async def say(self, command_id: str, text: str) -> str: ...

    async def mute(self, command_id: str, muted: bool) -> str: ...

    async def transfer(self, command_id: str, uri: str, name: str) -> str: ...


class Desk:
    """Each command's doer says why it could not be done, in one plain sentence, or nothing.

    `check` runs the account check of this id.
    """

    def __init__(self, calls: Calls, check: Callable[[str], Awaitable[str]]) -> None:
        self.rooms: list[Mapping[str, Talk]] = [calls.by_id]
        """What runs here, by call."""
        self._doers: dict[type[Command], Callable[[Any], Awaitable[str]]] = {}
        self.take_on(HangUpCall, self.hang_up)
        self.take_on(CheckAccount, lambda command: check(command.check_id))
        self.take_on(SayText, self._say)
        self.take_on(MuteAgent, self._mute)
        self.take_on(TransferCall, self._transfer)

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

    def _find(self, call_id: str) -> Talk | None:
        return next((room[call_id] for room in self.rooms if call_id in room), None)

    async def hang_up(self, command: HangUpCall) -> str:
        """Why there is nothing to hang up, or nothing."""
        conversation = self._find(command.call_id)
        if conversation is None:
            return NO_SUCH_CALL
        conversation.hang_up(EndCause.OPERATOR_HUNG_UP, command.command_id)
        return ""

    async def _say(self, command: SayText) -> str:
        conversation = self._find(command.call_id)
        if conversation is None:
            return NO_SUCH_CALL
        text = command.text.strip()[:MOST_CHARACTERS]
        return await conversation.say(command.command_id, text) if text else NO_WORDS

    async def _mute(self, command: MuteAgent) -> str:
        conversation = self._find(command.call_id)
        if conversation is None:
            return NO_SUCH_CALL
        return await conversation.mute(command.command_id, command.muted)

    async def _transfer(self, command: TransferCall) -> str:
        conversation = self._find(command.call_id)
        if conversation is None:
            return NO_SUCH_CALL
        if not ADDRESS.fullmatch(command.uri):
            return NO_ADDRESS
        return await conversation.transfer(command.command_id, command.uri, command.name)
