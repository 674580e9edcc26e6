"""When what happened in a turn: caller stops -> end known -> first audio -> first packet -> end."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from media_worker.audio.playout import Playout
from media_worker.contract import TurnMeasured
from media_worker.conversation.ticker import Ticker


class CallTime:
    """Milliseconds since the call was answered."""

    def __init__(self, clock: Ticker) -> None:
        self._clock = clock
        self.answered_at: float | None = None

    def now(self) -> float:
        """On the clock, in seconds."""
        return self._clock.now()

    def answered(self) -> None:
        self.answered_at = self._clock.now()

    def ms(self, at: float | None = None) -> int:
        """Of a moment on the clock, of now without one; 0 before the answer."""
        if self.answered_at is None:
            return 0
        at = self._clock.now() if at is None else at
        return max(0, round((at - self.answered_at) * 1000))


class _Turn(msgspec.Struct):
    """One response that is spoken; seconds on the clock."""

    number: int
    items: list[str]
    caller_stopped: float | None
    end_known: float | None
    first_audio: float
    is_complete: bool = False


class Timings:
    """Measures each spoken response and emits it when its playing has ended."""

    def __init__(
        self, playout: Playout, time: CallTime, emit: Callable[[TurnMeasured], None]
    ) -> None:
        self._playout = playout
        self._time = time
        self._emit = emit
        self._turns: dict[str, _Turn] = {}
        self._count = 0
        self._caller_stopped: float | None = None
        self._end_known: float | None = None

    def caller_started(self) -> None:
        """The caller goes on: what ended before was not the end of the turn."""
        self._caller_stopped = self._end_known = None

    def caller_stopped(self, at: float, *, known_at: float) -> None:
        """`at`: the last speech frame; `known_at`: when the VAD said so."""
        self._caller_stopped, self._end_known = at, known_at

    def audio(self, response_id: str, item_id: str, now: float) -> None:
        turn = self._turns.get(response_id)
        if turn is None:
            self._count += 1
            turn = _Turn(self._count, [], self._caller_stopped, self._end_known, now)
            self._turns[response_id] = turn
            self.caller_started()
        if item_id not in turn.items:
            turn.items.append(item_id)

    def response_finished(self, response_id: str) -> None:
        if response_id in self._turns:
            self._turns[response_id].is_complete = True

    def interrupted(self, now: float) -> None:
        """Everything that is being spoken was stopped at `now`."""
        for turn in self._turns.values():
            self._report(turn, now, interrupted=True)
        self._turns.clear()

    def tick(self, now: float) -> None:
        for response_id, turn in list(self._turns.items()):
            if turn.is_complete and all(self._playout.is_done(item) for item in turn.items):
                self._report(turn, self._playout.last_played_at() or now, interrupted=False)
                del self._turns[response_id]

    def _report(self, turn: _Turn, ended: float, *, interrupted: bool) -> None:
        played = [self._playout.first_played_at(item) for item in turn.items]
        first_packet = next((at for at in played if at is not None), None)
        self._emit(
            TurnMeasured(
                number=turn.number,
                caller_stopped_ms=self._ms(turn.caller_stopped),
                end_known_ms=self._ms(turn.end_known),
                first_audio_ms=self._ms(turn.first_audio),
                first_packet_ms=self._ms(first_packet),
                playout_ended_ms=None if first_packet is None else self._ms(ended),
                interrupted=interrupted,
            )
        )

    def _ms(self, at: float | None) -> int | None:
        return None if at is None else self._time.ms(at)
