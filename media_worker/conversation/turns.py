"""Who speaks: when the agent is stopped, when it is asked for an answer. Pure: no I/O.

The keeper is told what was heard and answers with moves for the conversation to make, in order.
While the greeting is guarded the provider neither answers nor interrupts by itself; the guard ends
`guard_ms` after the first frame of the greeting was played, or with the greeting. What began within
it interrupts only if it goes on for a while after it.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

CONFIRM_SECONDS: Final = 1.5
"""A stop by the local VAD that the provider has not confirmed so long after it: carry on."""
LIFTING_SECONDS: Final = 1.5
"""So long after the guard was lifted a turn may end that the provider still holds for guarded; it
is answered by the provider within the same time, or we ask."""

GOES_ON_MS: Final = 250
"""So much sound after the guard makes speech of what began within it; a cough is over by then."""

DOUBT_SECONDS: Final = 1.0
"""The provider has heard speech within the guard and not its end, so long after the guard: then
somebody speaks, however softly."""


class Move(Enum):
    STOP_AGENT = auto()
    """The caller interrupts: be silent at once, tell the provider what was heard."""
    LIFT_GUARD = auto()
    ANSWER = auto()
    """Ask the provider for an answer."""
    COMMIT = auto()
    """End the caller's turn ourselves and ask for an answer (VadMode.LOCAL)."""


class TurnKeeper:
    """Times are seconds of one clock. `owns_turns`: our VAD ends the turns, not the provider's."""

    def __init__(self, *, interrupt: bool, guard_ms: int, owns_turns: bool, greets: bool) -> None:
        self._interrupt = interrupt
        self._guard_seconds = guard_ms / 1000
        self.owns_turns = owns_turns
        self._guard_ends: float | None = None
        self._provider_hears = False
        self._we_hear = False
        self._owes_answer = False
        self._lifted_at: float | None = None
        self._unconfirmed = False
        self._answer_at: float | None = None
        self.in_doubt = False
        """Something began within the guard; whether it goes on is not known yet."""
        self._goes_on_ms = 0
        self.guarded = greets
        self.greeting_is_over = not greets

    @property
    def caller_speaks(self) -> bool:
        return self._provider_hears or self._we_hear

    # --- the caller ------------------------------------------------------------------------------

    def speech_started(self, began: float) -> list[Move]:
        """The provider heard that the caller began at `began`."""
        self._provider_hears = True
        self._unconfirmed = False
        self._answer_at = None
        return self._hear(began)

    def speech_stopped(self) -> None:
        self._provider_hears = False

    def turn_committed(self, now: float) -> None:
        """The caller's turn is complete; outside the guard the provider answers it by itself."""
        self._provider_hears = False
        if self.guarded:
            self._owes_answer = True
        elif self._lifted_at is not None and now - self._lifted_at < LIFTING_SECONDS:
            self._answer_at = now + LIFTING_SECONDS

    def local_onset(self, began: float, *, agent_audible: bool) -> list[Move]:
        """Our own VAD heard that the caller began at `began`."""
        self._we_hear = True
        self._answer_at = None
        moves = self._hear(began)
        self._unconfirmed = bool(moves) and agent_audible and not self.owns_turns
        return moves

    def local_end(self, now: float) -> list[Move]:
        self._we_hear = False
        if not self.owns_turns:
            if self._unconfirmed:
                self._unconfirmed = False
                self._answer_at = now + CONFIRM_SECONDS
            return []
        if self.guarded:
            self._owes_answer = True
            return []
        return [Move.COMMIT]

    # --- the agent -------------------------------------------------------------------------------

    def response_started(self) -> None:
        self._answer_at = None

    def greeting_played(self, at: float) -> None:
        """The first frame of the greeting went out at `at`."""
        if self._guard_ends is None:
            self._guard_ends = at + self._guard_seconds

    def greeting_over(self, now: float) -> list[Move]:
        """Played to its end, cut off, or never to come."""
        self.greeting_is_over = True
        moves = self._lift_guard(now) if self.guarded else []
        if self._owes_answer:
            self._owes_answer = False
            if self.owns_turns:
                moves.append(Move.COMMIT)
            elif not self.caller_speaks:  # else the provider answers both turns in one
                moves.append(Move.ANSWER)
        return moves

    def tick(self, now: float, *, audible_ms: int = 0) -> list[Move]:
        """`audible_ms`: sound from the caller since the last tick; the provider's word that speech
        has ended comes only after the silence that it waits for. Read only while in doubt."""
        moves = []
        if self.in_doubt:
            moves += self._resolve_doubt(now, audible_ms)
        if self.guarded and self._guard_ends is not None and now >= self._guard_ends:
            moves += self._lift_guard(now)
            self.in_doubt = self.caller_speaks
        if self._answer_at is not None and now >= self._answer_at:
            self._answer_at = None
            moves.append(Move.ANSWER)
        return moves

    def _hear(self, began: float) -> list[Move]:
        """The caller began; word of it may come late, so that the guard is lifted by now."""
        lifted_at = self._lifted_at
        if lifted_at is not None and began < lifted_at and not self.greeting_is_over:
            self.in_doubt = True
            return []
        return self._barge_in()

    def _resolve_doubt(self, now: float, audible_ms: int) -> list[Move]:
        lifted_at = self._lifted_at or now
        self._goes_on_ms += audible_ms
        goes_on = self._goes_on_ms >= GOES_ON_MS or now - lifted_at >= DOUBT_SECONDS
        self.in_doubt = self.caller_speaks and not goes_on
        return self._barge_in() if self.caller_speaks and goes_on else []

    def _lift_guard(self, now: float) -> list[Move]:
        self.guarded, self._lifted_at = False, now
        return [Move.LIFT_GUARD]

    def _barge_in(self) -> list[Move]:
        self.in_doubt = False
        return [Move.STOP_AGENT] if self._interrupt and not self.guarded else []
