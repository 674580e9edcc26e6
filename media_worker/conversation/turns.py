"""Who speaks: when the agent is stopped, when it is asked for an answer. Pure: no I/O.

The keeper is told what was heard and answers with moves for the conversation to make, in order.
While the greeting is guarded the provider neither answers nor interrupts by itself; the guard ends
`guard_ms` after the first frame of the greeting was played, or with the greeting. What began within
it interrupts only if it goes on for a while after it.

Our own VAD hears the caller before the provider's word can come, and hears coughs too. What it
hears first only pauses the agent; the pause becomes a stop when the provider hears speech as well,
or when there has been enough speech; else the agent goes on where it was.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

CONFIRM_SECONDS: Final = 1.5
"""A stop by the local VAD that the provider has not confirmed so long after it: carry on."""
HEARD_SECONDS: Final = 0.3
"""A new session has the audio that waited for it so long after it was opened."""
LIFTING_SECONDS: Final = 1.5
"""So long after the guard was lifted a turn may end that the provider still holds for guarded; it
is answered by the provider within the same time, or we ask."""

GOES_ON_MS: Final = 250
"""So much sound after the guard makes speech of what began within it; a cough is over by then."""

SURE_MS: Final = 400
"""So much speech, by our own VAD, is no cough: the agent is interrupted whatever others hear."""

DOUBT_SECONDS: Final = 1.0
"""The provider has heard speech within the guard and not its end, so long after the guard: then
somebody speaks, however softly."""


class Move(Enum):
    PAUSE_AGENT = auto()
    """Perhaps the caller interrupts: be silent at once, keep what is still to be said."""
    RESUME_AGENT = auto()
    """It was nothing: go on where the pause began."""
    STOP_AGENT = auto()
    """The caller interrupts: be silent at once, tell the provider what was heard."""
    LIFT_GUARD = auto()
    ANSWER = auto()
    """Ask the provider for an answer."""
    COMMIT = auto()
    """End the caller's turn ourselves and ask for an answer (VadMode.LOCAL)."""


class TurnKeeper:
    """Times are seconds of one clock. `owns_turns`: our VAD ends the turns, not the provider's.

    `pauses`: our VAD silences the agent before anybody is sure; not confirmed within
    `false_interruption_ms` that is undone, and 0 of it makes a stop of it at once.
    """

    def __init__(
        self,
        *,
        interrupt: bool,
        guard_ms: int,
        owns_turns: bool,
        greets: bool,
        pauses: bool,
        false_interruption_ms: int,
    ) -> None:
        self._interrupt = interrupt
        self._guard_seconds = guard_ms / 1000
        self.owns_turns = owns_turns
        self._pauses = pauses
        self._false_seconds = false_interruption_ms / 1000
        self._guard_ends: float | None = None
        self._we_hear = False
        self._owes_answer = False
        self._lifted_at: float | None = None
        self._suspects = False
        self._resume_at: float | None = None
        self._unconfirmed = False
        self._answer_at: float | None = None
        self._commit_at: float | None = None
        self._goes_on_ms = 0
        self.provider_hears = False
        """The provider said that the caller began, and not yet that the turn is over."""
        self.in_doubt = False
        """Something began within the guard; whether it goes on is not known yet."""
        self.guarded = greets
        self.greeting_is_over = not greets

    @property
    def caller_speaks(self) -> bool:
        return self.provider_hears or self._we_hear

    # --- the caller ------------------------------------------------------------------------------

    def speech_started(self, began: float) -> list[Move]:
        """The provider heard that the caller began at `began`."""
        self.provider_hears = True
        self._unconfirmed = False
        self._answer_at = None
        return [] if self._is_held_back(began) else self._barge_in()

    def speech_stopped(self) -> None:
        self.provider_hears = False

    def turn_committed(self, now: float) -> None:
        """The caller's turn is complete; outside the guard the provider answers it by itself."""
        self.provider_hears = False
        if self.guarded:
            self._owes_answer = True
        elif self._lifted_at is not None and now - self._lifted_at < LIFTING_SECONDS:
            self._answer_at = now + LIFTING_SECONDS

    def local_onset(self, began: float, now: float, *, agent_speaks: bool) -> list[Move]:
        """Our own VAD heard that the caller began at `began`. `agent_speaks`: or is about to."""
        self._we_hear = True
        self._answer_at = None
        if self._is_held_back(began) or self.guarded or not (self._interrupt and agent_speaks):
            return []
        if self.provider_hears:
            return self._barge_in()
        if self._pauses and not self._false_seconds:
            return self._interrupt_by_ourselves()
        self._suspects = self._pauses or self.owns_turns
        if not self._pauses:
            return []
        self._resume_at = now + self._false_seconds
        return [Move.PAUSE_AGENT]

    def local_end(self, now: float) -> list[Move]:
        was_suspect, self._suspects = self._suspects, False
        self._we_hear = False
        if not self.owns_turns:
            if self._unconfirmed:
                self._unconfirmed = False
                self._answer_at = now + CONFIRM_SECONDS
            return []
        if self.guarded:
            self._owes_answer = True
            return []
        # Too short for an interruption is too short for a turn; and nobody else will hear it.
        return self._resume() if was_suspect else [Move.COMMIT]

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

    def answer_owed(self, now: float) -> None:
        """A turn was over before there was a session, which hears it now: it answers, or we ask."""
        if self.owns_turns:
            self._commit_at = now + HEARD_SECONDS
        else:
            self._answer_at = now + CONFIRM_SECONDS

    def unmuted(self, now: float, *, owes_answer: bool) -> list[Move]:
        """The provider may answer again by itself: a turn that is over by then is for us to ask."""
        moves = self._lift_guard(now)
        if not owes_answer:
            return moves
        if not self.caller_speaks:
            return [*moves, Move.ANSWER]
        # Perhaps it is but noise, of which only our own VAD knows.
        self._unconfirmed = not (self.owns_turns or self.provider_hears)
        return moves

    def session_over(self) -> None:
        """What the provider heard it does not hear any more; its word on it will not come."""
        self.provider_hears = False

    def tick(self, now: float, *, audible_ms: int = 0, speech_ms: int = 0) -> list[Move]:
        """`audible_ms`: sound from the caller since the last tick; the provider's word that speech
        has ended comes only after the silence that it waits for. Read only while in doubt.
        `speech_ms`: how much speech our own VAD has heard since its onset."""
        moves = []
        if self.in_doubt:
            moves += self._resolve_doubt(now, audible_ms)
        if self._suspects and speech_ms >= SURE_MS:
            moves += self._interrupt_by_ourselves()
        if self._resume_at is not None and now >= self._resume_at:
            moves += self._resume()
        if self.guarded and self._guard_ends is not None and now >= self._guard_ends:
            moves += self._lift_guard(now)
            self.in_doubt = self.caller_speaks
        if self._answer_at is not None and now >= self._answer_at:
            self._answer_at = None
            moves.append(Move.ANSWER)
        if self._commit_at is not None and now >= self._commit_at:
            self._commit_at = None
            moves += [] if self._we_hear else [Move.COMMIT]
        return moves

    def _is_held_back(self, began: float) -> bool:
        """Speech that began within the guard, though word of it may come when that is lifted."""
        lifted_at = self._lifted_at
        if lifted_at is None or began >= lifted_at or self.greeting_is_over:
            return False
        self.in_doubt = True
        return True

    def _resolve_doubt(self, now: float, audible_ms: int) -> list[Move]:
        lifted_at = self._lifted_at or now
        self._goes_on_ms += audible_ms
        goes_on = self._goes_on_ms >= GOES_ON_MS or now - lifted_at >= DOUBT_SECONDS
        self.in_doubt = self.caller_speaks and not goes_on
        return self._barge_in() if self.caller_speaks and goes_on else []

    def _resume(self) -> list[Move]:
        was_paused, self._resume_at = self._resume_at is not None, None
        return [Move.RESUME_AGENT] if was_paused else []

    def _interrupt_by_ourselves(self) -> list[Move]:
        """The provider may never hear what we heard: then nobody answers the caller but we."""
        self._unconfirmed = not self.owns_turns
        return self._barge_in()

    def _lift_guard(self, now: float) -> list[Move]:
        self.guarded, self._lifted_at = False, now
        return [Move.LIFT_GUARD]

    def _barge_in(self) -> list[Move]:
        self.in_doubt = False
        self._suspects, self._resume_at = False, None
        return [Move.STOP_AGENT] if self._interrupt and not self.guarded else []
