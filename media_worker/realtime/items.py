"""The items of a conversation: their order, and what of the agent's speech has come.

REALTIME.md sections 1.5 and 1.6. Pure: no I/O.
"""

from __future__ import annotations

import msgspec

from media_worker.realtime.session import AgentItem, Heard


class Cut(msgspec.Struct, frozen=True):
    """How an interrupted item is put right at the provider. `milliseconds` 0: delete it whole."""

    item_id: str
    milliseconds: int


class _Speech(msgspec.Struct):
    """An item that the agent speaks."""

    response_id: str
    received: int = 0
    """bytes"""
    is_done: bool = False
    is_cut: bool = False
    """What still comes of it is dropped."""
    is_told: bool = False
    """The provider knows how much of it was heard."""


class Items:
    def __init__(self) -> None:
        self._speech: dict[str, _Speech] = {}
        self._announced: dict[str, str] = {}
        """Agent's items that `response.output_item.added` named: their response."""
        self._previous: dict[str, str | None] = {}
        """The item before each, as `conversation.item.added` said."""
        self._shown: set[str] = set()
        """Items that the conversation knows of."""
        self._cut_responses: set[str] = set()

    # --- order ---------------------------------------------------------------

    def added(self, item_id: str, previous_item_id: str | None) -> AgentItem | None:
        self._previous[item_id] = previous_item_id
        if item_id in self._announced:
            return self.begin(item_id, self._announced[item_id])
        return None

    def announced(self, item_id: str, response_id: str) -> AgentItem | None:
        """An item that the agent will speak; it begins when its place is known or speech comes."""
        self._announced[item_id] = response_id
        return self.begin(item_id, response_id) if item_id in self._previous else None

    def begin(self, item_id: str, response_id: str) -> AgentItem | None:
        """The agent's item, once; None where it has begun or is not wanted any more."""
        response_id = self._announced.get(item_id) or response_id
        if item_id in self._speech or response_id in self._cut_responses:
            return None
        self._speech[item_id] = _Speech(response_id)
        self.show(item_id)
        return AgentItem(item_id, self.visible(self._previous.get(item_id)), response_id)

    def show(self, item_id: str) -> None:
        self._shown.add(item_id)

    def visible(self, previous_item_id: str | None) -> str | None:
        """The nearest item before that the conversation knows: tool outputs lie between."""
        seen = set()
        while (
            previous_item_id is not None
            and previous_item_id not in self._shown
            and previous_item_id in self._previous
            and previous_item_id not in seen
        ):
            seen.add(previous_item_id)
            previous_item_id = self._previous[previous_item_id]
        return previous_item_id

    # --- speech --------------------------------------------------------------

    def is_wanted(self, item_id: str) -> bool:
        speech = self._speech.get(item_id)
        return speech is not None and not speech.is_cut

    def is_begun(self, item_id: str) -> bool:
        return item_id in self._speech

    def received(self, item_id: str, size: int) -> None:
        self._speech[item_id].received += size

    def finished(self, item_id: str) -> None:
        if item_id in self._speech:
            self._speech[item_id].is_done = True

    def want_response(self, response_id: str) -> None:
        """A response begins; where responses have no ids, it is not the one that was cut."""
        self._cut_responses.discard(response_id)

    def cut_response(self, response_id: str) -> None:
        """Nothing more of this response is wanted."""
        self._cut_responses.add(response_id)
        for speech in self._speech.values():
            if speech.response_id == response_id:
                speech.is_cut = True

    def cut(self, heard: Heard, bytes_per_ms: int) -> list[Cut]:
        """Cut the item being heard and those after it; how to tell the provider.

        Never more than was received: the provider refuses more than the item holds.
        """
        if heard.item_id not in self._speech:
            return []
        ids = list(self._speech)
        after = ids[ids.index(heard.item_id) + 1 :]
        cuts = self._cut_heard(heard, bytes_per_ms)
        for item_id in after:
            speech = self._speech[item_id]
            if speech.received and not speech.is_told:
                cuts.append(Cut(item_id, 0))
            speech.is_cut = speech.is_told = True
        return cuts

    def _cut_heard(self, heard: Heard, bytes_per_ms: int) -> list[Cut]:
        speech = self._speech[heard.item_id]
        if speech.is_told:
            return []
        speech.is_cut = speech.is_told = True
        received_ms = speech.received // bytes_per_ms
        if speech.is_done and heard.milliseconds >= received_ms:
            return []
        return [Cut(heard.item_id, max(0, min(heard.milliseconds, received_ms)))]
