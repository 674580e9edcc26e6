"""One response at a time: what we ask for waits until the provider is free.

REALTIME.md section 1.7. Pure: no I/O.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec


class Ask(msgspec.Struct, frozen=True):
    """A response that we want. `response` None: the plain next answer.

    `is_patient`: not while the caller speaks and the provider will answer by itself anyway.
    """

    event_id: str
    response: dict[str, Any] | None = None
    is_patient: bool = False
    asked_for: str = ""
    """Who wants it, to be named when it begins."""

    @property
    def is_plain(self) -> bool:
        return self.response is None


_UNSEEN = "?"
"""Stands for an active response that the server spoke of before we saw it begin."""


class Responses:
    def __init__(self) -> None:
        self.active: str | None = None
        """Id of the response that the provider is making."""
        self.caller_has_turn = False
        """The caller speaks, and the provider will answer by itself: patient asks wait for it."""
        self._waiting: deque[Ask] = deque()
        self._sent: Ask | None = None
        self._is_sent_created = False
        self._last_done: str | None = None

    @property
    def is_asked(self) -> bool:
        """A response.create is on its way and its response has not begun."""
        return self._sent is not None and not self._is_sent_created

    @property
    def asked_for(self) -> str:
        """Who wants what was sent last."""
        return self._sent.asked_for if self._sent is not None else ""

    def ask(self, ask: Ask) -> None:
        """Plain answers that wait together are one answer."""
        same = next((waiting for waiting in self._waiting if waiting.is_plain), None)
        if not ask.is_plain or same is None:
            self._waiting.append(ask)
        elif same.is_patient and not ask.is_patient:
            self._waiting[self._waiting.index(same)] = ask

    def next(self) -> Ask | None:
        """What may be sent now; it then counts as sent."""
        if self.active is not None or self.is_asked:
            return None
        for ask in self._waiting:
            if not (ask.is_patient and self.caller_has_turn):
                self._waiting.remove(ask)
                self._sent, self._is_sent_created = ask, False
                return ask
        return None

    def created(self, response_id: str, *, covers_plain: bool) -> None:
        """`covers_plain`: a response of the provider's own has seen all that we had to say."""
        if self.is_asked:
            self._is_sent_created = True
        elif covers_plain:
            self._waiting = deque(ask for ask in self._waiting if not ask.is_plain)
        self.active = response_id
        self.caller_has_turn = False

    def is_unannounced(self, response_id: str) -> bool:
        """What has come belongs to a response that began without a word; some servers do that."""
        return self.active is None and (not response_id or response_id != self._last_done)

    def done(self, response_id: str) -> None:
        self._last_done = response_id
        is_unannounced = self.active is None and self.is_asked
        if self.active in (response_id, _UNSEEN) or is_unannounced:
            if self._is_sent_created or is_unannounced:
                self._sent = None
            self.active = None

    def refused(self, event_id: str | None, *, is_busy: bool) -> bool:
        """An error about our response.create; many servers leave `event_id` out.

        `is_busy`: another response is active, so ours waits again. Returns whether it was ours.
        """
        sent = self._sent
        if sent is None or (event_id and event_id != sent.event_id):
            return False
        if not is_busy and not event_id and self._is_sent_created:
            return False
        self._sent = None
        if is_busy:
            self._waiting.appendleft(sent)
            self.active = self.active or _UNSEEN
        return True

    def drop_spoken(self) -> None:
        """The agent was interrupted: words that wait to be spoken are no longer wanted."""
        self._waiting = deque(ask for ask in self._waiting if ask.is_plain)
