"""What was said, in order: entries that grow while they are spoken. Pure: no I/O.

Items are ordered by `previous_item_id`, not by arrival; a position, once given, stays. The agent's
text is what the caller has heard of it: the share of the text that the share of the audio stands
for, cut at a word's end. The caller's words come when the provider has them; a turn that never gets
words leaves no entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from unicodedata import east_asian_width

import msgspec

from media_worker.contract import Speaker, TranscriptUpdated

UPDATE_MS: Final = 200
"""An entry is sent at most so often while it grows."""
STEP: Final = 1 << 18
"""Between positions given in order: room for 18 insertions at one place, and for MAX_ENTRIES
below 2^31, which is what a database column holds."""
MAX_TEXT: Final = 20_000
"""Characters of an entry; no provider sends so much in one item."""
MAX_ENTRIES: Final = 5_000
FASTEST_SPEECH: Final = 0.03
"""Characters a millisecond. Words come ahead of their sound: while an item is still coming, the
share of what has come says too much. English is spoken at about 15 characters a second."""
LONGEST_WORD: Final = 40
"""Characters to go back for a word's end; beyond it the script has none."""


class _Entry:
    __slots__ = (
        "command_id", "cut_at", "duration_ms", "final", "heard", "item_id", "offset_ms", "position",
        "ratio", "sent", "sent_at", "speaker", "text",
    )  # fmt: skip

    def __init__(self, item_id: str, position: int) -> None:
        self.item_id = item_id
        self.position = position
        self.speaker: Speaker | None = None
        self.text = ""
        self.command_id = ""  # of the person's command that it answers
        self.heard = 0  # characters of an agent's text that were heard
        self.cut_at: float | None = None  # share of the audio that was heard before the cut
        self.final = False
        self.offset_ms = 0
        self.duration_ms = 0
        self.sent: TranscriptUpdated | None = None
        self.sent_at = -UPDATE_MS


class Transcript:
    """`emit` gets each entry as it now stands. Times are milliseconds from the call's answer."""

    def __init__(self, emit: Callable[[TranscriptUpdated], None]) -> None:
        self._emit = emit
        self._entries: dict[str, _Entry] = {}
        self._growing: dict[str, _Entry] = {}
        self.ignored = 0
        """Items that were too many."""

    def place(self, item_id: str, previous_item_id: str | None = None) -> int:
        """Give an item its position: right after the one before it, at the end if unknown."""
        entry = self._entries.get(item_id) or self._add(item_id, previous_item_id)
        return entry.position if entry else 0

    # --- the caller ------------------------------------------------------------------------------

    def caller_turn(
        self, item_id: str, previous_item_id: str | None, *, offset_ms: int, duration_ms: int
    ) -> None:
        """The caller's turn is complete; its words may be here already or come later."""
        entry = self._entries.get(item_id)
        if entry is None:
            entry = self._add(item_id, previous_item_id)
        elif previous_item_id in self._entries:
            entry.position = self._position_after(previous_item_id, without=item_id)
        if entry is None:
            return
        entry.speaker = Speaker.CALLER
        entry.offset_ms, entry.duration_ms = max(0, offset_ms), max(0, duration_ms)
        self._growing[item_id] = entry

    def caller_text(self, item_id: str, text: str, *, final: bool, offset_ms: int) -> None:
        """The words so far, whole; `offset_ms` counts only where the turn was never announced."""
        entry = self._entries.get(item_id)
        if entry is None:
            entry = self._add(item_id, None)
            if entry is None:
                return
            entry.offset_ms = max(0, offset_ms)
        entry.speaker = Speaker.CALLER
        entry.text = text.strip()[:MAX_TEXT]
        entry.final = entry.final or final
        self._growing[item_id] = entry

    def no_words(self, item_id: str) -> None:
        """Nothing was understood of this turn: it leaves no entry."""
        self._growing.pop(item_id, None)

    @property
    def awaits_words(self) -> bool:
        """A turn of the caller is complete and its words are still to come."""
        return any(
            entry.speaker is Speaker.CALLER and not entry.final for entry in self._growing.values()
        )

    # --- the agent -------------------------------------------------------------------------------

    def agent_item(self, item_id: str, previous_item_id: str | None) -> None:
        entry = self._entries.get(item_id) or self._add(item_id, previous_item_id)
        if entry is not None:
            entry.speaker = Speaker.AGENT
            self._growing[item_id] = entry

    def mark(self, item_id: str, command_id: str) -> None:
        """An agent's item answers this command of a person; "": none."""
        entry = self._entries.get(item_id)
        if entry is not None and entry.command_id != command_id:
            entry.command_id = command_id
            self._growing[item_id] = entry

    def agent_text(self, item_id: str, delta: str) -> None:
        entry = self._entries.get(item_id)
        if entry is not None and len(entry.text) < MAX_TEXT:
            self._set_agent_text(entry, entry.text + delta)

    def agent_text_done(self, item_id: str, text: str) -> None:
        entry = self._entries.get(item_id)
        if entry is not None and text:
            self._set_agent_text(entry, text)

    def heard(
        self,
        item_id: str,
        *,
        heard_ms: int,
        received_ms: int,
        began_ms: int | None,
        is_whole: bool = False,
    ) -> None:
        """How much of an agent's item has been played by now; `is_whole`: all of it has come."""
        entry = self._entries.get(item_id)
        if entry is None or entry.cut_at is not None or entry.final:
            return
        entry.duration_ms = heard_ms
        if began_ms is not None:
            entry.offset_ms = max(0, began_ms)
        share = _share(entry, heard_ms, received_ms, is_whole)
        entry.heard = max(entry.heard, words_within(entry.text, share))

    def shown(self, item_id: str, at_ms: int) -> None:
        """All that has come of an agent's item is known to the person, who reads it."""
        entry = self._entries.get(item_id)
        if entry is not None and not entry.final:
            entry.offset_ms = entry.offset_ms or max(0, at_ms)
            entry.heard = len(entry.text)

    def finish(self, item_id: str) -> None:
        """All of an agent's item was played, and its text is whole."""
        entry = self._entries.get(item_id)
        if entry is None or entry.final:
            return
        if entry.cut_at is None and entry.duration_ms:
            entry.heard = len(entry.text)
        entry.final = True
        self._growing[item_id] = entry

    def cut(self, item_id: str, *, heard_ms: int, received_ms: int, is_whole: bool = False) -> None:
        """The rest of an agent's item will not be heard; its text may still come."""
        entry = self._entries.get(item_id)
        if entry is None or entry.final or entry.cut_at is not None:
            return
        entry.duration_ms = heard_ms
        entry.cut_at = _share(entry, heard_ms, received_ms, is_whole)
        entry.heard = words_within(entry.text, entry.cut_at)

    # --- out -------------------------------------------------------------------------------------

    def heard_text(self, item_id: str) -> str:
        """What the caller has heard of an agent's item; empty for one not known."""
        entry = self._entries.get(item_id)
        return entry.text[: entry.heard].strip() if entry else ""

    def send_changes(self, now_ms: int) -> None:
        """Emit what has changed: final entries at once, growing ones when it is their time."""
        for entry in list(self._growing.values()):
            if entry.final or now_ms - entry.sent_at >= UPDATE_MS:
                self._send(entry, now_ms)
            if entry.final:
                del self._growing[entry.item_id]

    def close(self, now_ms: int) -> None:
        """The call is over: every entry is final as it stands."""
        for entry in self._entries.values():
            if entry.speaker is not None and not entry.final:
                entry.final = True
                self._growing[entry.item_id] = entry
        self.send_changes(now_ms)

    def as_text(self, limit: int) -> str:
        """The conversation so far, `Caller: ...` and `Agent: ...`, its last `limit` characters."""
        lines = []
        for entry in sorted(self._entries.values(), key=lambda entry: entry.position):
            text = entry.text if entry.speaker is Speaker.CALLER else entry.text[: entry.heard]
            if entry.speaker is not None and text.strip():
                lines.append(f"{entry.speaker.value.capitalize()}: {text.strip()}")
        return "\n".join(lines)[-limit:]

    def _send(self, entry: _Entry, now_ms: int) -> None:
        update = _update(entry)
        if update is None or _is_no_news(update, entry.sent):
            return
        entry.sent, entry.sent_at = update, now_ms
        self._emit(update)

    def _set_agent_text(self, entry: _Entry, text: str) -> None:
        had_none = not entry.text
        entry.text = text[:MAX_TEXT]
        if entry.cut_at is not None and had_none:  # cut off before its words came
            entry.heard = words_within(entry.text, entry.cut_at)
        self._growing[entry.item_id] = entry

    # --- order -----------------------------------------------------------------------------------

    def _add(self, item_id: str, previous_item_id: str | None) -> _Entry | None:
        if len(self._entries) >= MAX_ENTRIES:
            self.ignored += 1
            return None
        entry = _Entry(item_id, self._position_after(previous_item_id, without=item_id))
        self._entries[item_id] = entry
        return entry

    def _position_after(self, previous_item_id: str | None, *, without: str) -> int:
        positions = [e.position for e in self._entries.values() if e.item_id != without]
        previous = self._entries.get(previous_item_id or "")
        last = max(positions, default=0)
        if previous is None or previous.item_id == without or previous.position >= last:
            return last + STEP
        following = min(at for at in positions if at > previous.position)
        return (previous.position + following) // 2


def words_within(text: str, share: float) -> int:
    """Characters of `text` that make whole words within `share` (0 to 1) of it."""
    end = int(len(text) * share)
    if end >= len(text):
        return len(text)
    for at in range(end, max(-1, end - LONGEST_WORD), -1):
        if at == 0 or text[at].isspace() or east_asian_width(text[at - 1]) in "WF":
            return at
    return end


def _share(entry: _Entry, heard_ms: int, received_ms: int, is_whole: bool) -> float:
    """The share of an item's text that was heard, 0 to 1."""
    if not heard_ms or not received_ms:
        return 0.0
    share = min(1.0, heard_ms / received_ms)
    if is_whole or not entry.text:
        return share
    return min(share, heard_ms * FASTEST_SPEECH / len(entry.text))


def _is_no_news(update: TranscriptUpdated, sent: TranscriptUpdated | None) -> bool:
    """Nothing has changed, or only how long it has lasted while it goes on."""
    if sent is None or update.final:
        return update == sent
    return msgspec.structs.replace(update, duration_ms=sent.duration_ms) == sent


def _update(entry: _Entry) -> TranscriptUpdated | None:
    """The entry as the contract has it; None while there is nothing to show."""
    if entry.speaker is Speaker.AGENT:
        text = entry.text[: entry.heard].rstrip()
        cut_text = entry.text[entry.heard :].strip() if entry.cut_at is not None else ""
    else:
        text, cut_text = entry.text, ""
    if entry.speaker is None or not (text or entry.sent):  # what was shown once stays known
        return None
    return TranscriptUpdated(
        item_id=entry.item_id,
        position=entry.position,
        speaker=entry.speaker,
        text=text,
        cut_text=cut_text,
        final=entry.final,
        offset_ms=entry.offset_ms,
        duration_ms=entry.duration_ms,
        command_id=entry.command_id,
    )
