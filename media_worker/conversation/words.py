"""What people have the agent say: asked of the provider when it is free, behind what is spoken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from media_worker.contract import CallNoted, Greeting, NoteKind
from media_worker.conversation.requests import Requests
from media_worker.conversation.timings import CallTime
from media_worker.conversation.transcript import Transcript

PATIENCE_SECONDS: Final = 4.0
"""A caller who speaks is let finish, but not for ever: there may be music on the line."""
SAY_SECONDS: Final = 12.0
"""From asking the provider to its first word of it."""
CALL_ENDED: Final = "The call ended before this was said."
NOT_SAID: Final = "The provider did not say it."
SILENT: Final = "The provider did not answer in time."


class _Words(msgspec.Struct):
    command_id: str
    words: Greeting
    said: asyncio.Future[str]
    """Why it was not said, or nothing."""
    since: float
    """When it was asked for; later, when the provider was asked."""


class PersonsWords:
    """Moments are seconds on the call's clock."""

    def __init__(
        self,
        language: str,
        requests: Requests,
        transcript: Transcript,
        time: CallTime,
        emit: Callable[[CallNoted], None],
    ) -> None:
        self._language = language
        self._requests = requests
        self._transcript = transcript
        self._time = time
        self._emit = emit
        self._waiting: deque[_Words] = deque()
        self._asked: _Words | None = None
        self._known: dict[str, _Words] = {}
        """By command: what this session was asked to say."""
        self._responses: dict[str, _Words] = {}
        self._items: dict[str, list[str]] = {}
        """By response: what it has said so far."""

    @property
    def are_waiting(self) -> bool:
        """Something is still to be said, or about to be."""
        return bool(self._waiting) or self._asked is not None

    def is_theirs(self, response_id: str) -> bool:
        """This response says what a person asked for."""
        return response_id in self._responses

    async def say(self, command_id: str, text: str) -> str:
        """Returns when the agent begins to say it: nothing, or why it will not be said."""
        said: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        words = Greeting(language=self._language, text=text)
        self._waiting.append(_Words(command_id, words, said, self._time.now()))
        return await said

    def tick(self, now: float, *, is_free: bool, caller_speaks: bool) -> None:
        """`is_free`: the agent has nothing else to say, and there is a session."""
        if self._asked is not None:
            if now - self._asked.since > SAY_SECONDS:
                self._settle(self._asked, SILENT)
                self._asked = None
        elif self._waiting and is_free and (not caller_speaks or self._is_urgent(now)):
            self._ask(self._waiting.popleft(), now)

    # --- what the provider does ------------------------------------------------------------------

    def response_started(self, response_id: str, asked_for: str) -> None:
        words = self._known.get(asked_for)
        if words is not None:
            self._responses[response_id] = words
            self._items[response_id] = []
            if words is self._asked:
                self._asked = None

    def item_began(self, item_id: str, response_id: str) -> None:
        words = self._responses.get(response_id)
        if words is None:
            return
        self._items[response_id].append(item_id)
        self._transcript.mark(item_id, words.command_id)
        if not words.said.done():
            self._emit(
                CallNoted(
                    kind=NoteKind.SAID,
                    offset_ms=self._time.ms(),
                    text=words.words.text,
                    command_id=words.command_id,
                )
            )
            words.said.set_result("")

    def refused(self, asked_for: str, *, comes_again: bool) -> None:
        """The provider did not begin; a response that was taken for it is the provider's own."""
        words = self._known.get(asked_for)
        for response_id in [one for one, of in self._responses.items() if of is words]:
            del self._responses[response_id]
            for item_id in self._items.pop(response_id):
                self._transcript.mark(item_id, "")
        if words is not None and not comes_again:
            self._asked = None
            self._settle(words, NOT_SAID)

    def finished(self, response_id: str) -> bool:
        """Whether this response was to say what a person asked for."""
        words = self._responses.pop(response_id, None)
        self._items.pop(response_id, None)
        if words is not None:
            self._settle(words, NOT_SAID)
        return words is not None

    def interrupted(self) -> None:
        """What has not begun is asked for again; what has begun is cut off like all speech."""
        self._ask_again()

    def session_over(self) -> None:
        """The next session is asked for what this one has not begun to say."""
        for words in self._responses.values():
            if not words.said.done() and words is not self._asked:
                self._waiting.appendleft(words)
        self._ask_again()
        self._responses.clear()
        self._items.clear()
        self._known.clear()

    def close(self) -> None:
        for words in [*self._waiting, *self._known.values()]:
            self._settle(words, CALL_ENDED)
        self._waiting.clear()
        self._asked = None

    # --- inside ----------------------------------------------------------------------------------

    def _is_urgent(self, now: float) -> bool:
        return now - self._waiting[0].since > PATIENCE_SECONDS

    def _ask(self, words: _Words, now: float) -> None:
        self._asked = self._known[words.command_id] = words
        words.since = now
        self._requests.put(lambda session: session.say(words.words, words.command_id))

    def _ask_again(self) -> None:
        if self._asked is not None:
            self._waiting.appendleft(self._asked)
            self._asked = None

    def _settle(self, words: _Words, why_not: str) -> None:
        if not words.said.done():
            words.said.set_result(why_not)
