"""The agent's speech: items on their way to the caller, and how far each has been heard."""

from __future__ import annotations

import msgspec

from media_worker.audio.playout import Playout
from media_worker.contract import AudioFormat
from media_worker.conversation.downlink import Downlink
from media_worker.conversation.timings import CallTime, Timings
from media_worker.conversation.transcript import Transcript
from media_worker.realtime.session import (
    AgentAudio,
    AgentAudioDone,
    AgentItem,
    AgentText,
    AgentTextDone,
    Heard,
)

AgentEvent = AgentItem | AgentAudioDone | AgentText | AgentTextDone


class _Item(msgspec.Struct):
    """An item of speech that is not over yet."""

    response_id: str
    text_is_whole: bool = False
    audio_is_whole: bool = False
    is_broken_off: bool = False
    """Its sound stopped before its end; its text may say more than was heard."""

    @property
    def is_whole(self) -> bool:
        return self.text_is_whole and self.audio_is_whole


class AgentSpeech:
    """What the caller hears, and has heard, of the agent."""

    def __init__(
        self, playout: Playout, time: CallTime, transcript: Transcript, timings: Timings
    ) -> None:
        self._playout = playout
        self._time = time
        self._transcript = transcript
        self._timings = timings
        self._downlink = Downlink(playout)
        self._items: dict[str, _Item] = {}
        self._own: set[str] = set()
        """Items that are speech of our own: no session knows them."""
        self._spoken: str | None = None
        """The response that last had an item played to its end."""

    @property
    def is_audible(self) -> bool:
        return not self._playout.is_idle

    def response_of(self, item_id: str) -> str:
        """The response that an item belongs to; empty for one that is over, or not known."""
        item = self._items.get(item_id)
        return item.response_id if item else ""

    def is_starved(self, response_id: str) -> bool:
        """Nothing of this response is there to be played, and it is not at a good end either."""
        if self._playout.queued_ms:
            return False
        has_begun = response_id == self._spoken or any(
            item.response_id == response_id for item in self._items.values()
        )
        return not (has_begun and self.is_played(response_id))

    # --- in --------------------------------------------------------------------------------------

    def take(self, event: AgentEvent) -> None:
        match event:
            case AgentItem(item_id=item_id, previous_item_id=previous, response_id=response_id):
                self._items[item_id] = _Item(response_id)
                self._transcript.agent_item(item_id, previous)
            case AgentAudioDone(item_id=item_id):
                self._downlink.finish(item_id)
                if item_id in self._items:
                    self._items[item_id].audio_is_whole = True
            case AgentText(item_id=item_id, delta=delta):
                self._transcript.agent_text(item_id, delta)
            case AgentTextDone(item_id=item_id, text=text):
                self._transcript.agent_text_done(item_id, text)
                if item_id in self._items:
                    self._items[item_id].text_is_whole = True

    def audio(self, event: AgentAudio, fmt: AudioFormat, now: float) -> bool:
        """Queue speech in the session's format; False where it is not wanted any more."""
        item = self._items.get(event.item_id)
        if item is None or self._playout.is_done(event.item_id):
            return False
        self._timings.audio(item.response_id, event.item_id, now)
        self._downlink.audio(event.item_id, event.data, fmt)
        return True

    def response_finished(self, response_id: str, *, completed: bool) -> None:
        for item_id, item in self._items.items():
            if item.response_id == response_id:
                self._end(item_id, item, completed=completed)
        self._timings.response_finished(response_id)

    def session_over(self) -> None:
        """What has come of each item is all that will come; it is still played."""
        for item_id, item in self._items.items():
            self._end(item_id, item, completed=False)
            self._timings.response_finished(item.response_id)

    def say(self, item_id: str, text: str, pcm: bytes) -> None:
        """Speech of our own, at the leg's clock rate; behind what is still queued."""
        self._transcript.agent_item(item_id, None)
        self._transcript.agent_text_done(item_id, text)
        self._items[item_id] = _Item(item_id, text_is_whole=True, audio_is_whole=True)
        self._own.add(item_id)
        self._playout.append(item_id, pcm)
        self._playout.finish(item_id)

    def measure(self, item_id: str, queued_at: float) -> None:
        """Speech of our own is a turn of the agent; its audio was there at `queued_at`."""
        self._timings.audio(item_id, item_id, queued_at)
        self._timings.response_finished(item_id)

    # --- out -------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Be silent from the next frame on, but keep what is still to be said."""
        self._playout.pause()

    def resume(self) -> None:
        self._playout.resume()

    def stop(self, now: float) -> tuple[bool, Heard | None]:
        """Be silent from the next frame on. Whether something was cut off, and what had been heard
        of the session's first item that was."""
        cut = self._downlink.stop()
        if cut is None:
            return False, None
        item = self._items.get(cut.item_id)
        self._transcript.cut(
            cut.item_id,
            heard_ms=cut.heard_ms,
            received_ms=cut.heard_ms + cut.dropped_ms,
            is_whole=item is not None and item.is_whole,
        )
        for item_id in cut.unheard:
            self._transcript.cut(item_id, heard_ms=0, received_ms=0)
        self._timings.interrupted(self._playout.last_played_at() or now)
        if cut.item_id not in self._own:
            return True, Heard(cut.item_id, cut.heard_ms)
        theirs = (item_id for item_id in cut.unheard if item_id not in self._own)
        return True, next((Heard(item_id, 0) for item_id in theirs), None)

    def began_at(self, response_id: str) -> float | None:
        """When the first frame of this response was played."""
        moments = (
            self._playout.first_played_at(item_id)
            for item_id, item in self._items.items()
            if item.response_id == response_id
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def is_played(self, response_id: str) -> bool:
        """Nothing of this response is left to play."""
        return all(
            self._playout.is_done(item_id)
            for item_id, item in self._items.items()
            if item.response_id == response_id
        )

    def tick(self, now: float) -> None:
        for item_id, item in list(self._items.items()):
            progress = self._playout.progress(item_id)
            began = progress.first_played_at
            self._transcript.heard(
                item_id,
                heard_ms=progress.heard_ms,
                received_ms=progress.received_ms,
                began_ms=None if began is None else self._time.ms(began),
                is_whole=item.is_whole,
            )
            if item.text_is_whole and self._playout.is_done(item_id):
                if item.is_broken_off:
                    self._break_off(item_id)
                self._transcript.finish(item_id)
                self._spoken = item.response_id
                del self._items[item_id]
        self._timings.tick(now)

    def close(self, now: float) -> None:
        """The call is over: what was not heard by now never will be."""
        self.tick(now)
        self.stop(now)

    def _end(self, item_id: str, item: _Item, *, completed: bool) -> None:
        """No more comes of this item."""
        item.is_broken_off = not (completed or item.audio_is_whole)
        item.audio_is_whole = not item.is_broken_off
        item.text_is_whole = True
        self._downlink.finish(item_id)

    def _break_off(self, item_id: str) -> None:
        heard_ms = self._playout.heard_ms(item_id)
        received_ms = self._playout.received_ms(item_id)
        self._transcript.cut(item_id, heard_ms=heard_ms, received_ms=received_ms)
