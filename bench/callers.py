"""The load generator: callers who dial, talk and listen, all in one loop of one process.

The loop wakes each millisecond on an absolute schedule; nothing in it waits for anything else.
"""

from __future__ import annotations

import gc
import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.rtp import TICK_SECONDS, Heard, RtpPort
from bench.sip import Dialog, UserAgent
from bench.speech import Speech

PACING_LIMIT_SECONDS: Final = 0.005
"""A measure whose own packets left later than this (99th percentile) says nothing."""
_STRIDE: Final = 389
"""Frames of the speech between the beginnings of two calls."""


@dataclass(frozen=True)
class Pacing:
    """How well the generator kept its schedule, and what that cost."""

    p99_ms: float
    worst_ms: float
    cpu_percent: float
    """Of one core."""

    @property
    def is_valid(self) -> bool:
        return self.p99_ms <= PACING_LIMIT_SECONDS * 1000


class Callers:
    """`dials` numbers calls from 0 on; a call's dialog and times are kept after its end."""

    def __init__(
        self, server: tuple[str, int], speech: Speech, *, at_once: int, known_calls: int
    ) -> None:
        self.speech = speech
        self._server = server
        self.rtp = RtpPort(speech, at_once, known_calls)
        self._agent = UserAgent(self.rtp.port, on_final=self._on_final, on_end=self._on_end)
        self.dialogs: list[Dialog] = []
        self.silent = False
        """New calls say nothing (faint noise) until they are told to."""
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.watch: Callable[[Dialog], None] = lambda dialog: None
        """Told of each final response and each end."""
        self.rtp.start()

    def close(self) -> None:
        self._agent.close()
        self.rtp.close()

    @property
    def lost(self) -> int:
        return self._agent.lost

    def dial(self, number: str, server: tuple[str, int] | None = None) -> Dialog:
        """`server`: another one than that of most calls."""
        dialog = self._agent.invite(len(self.dialogs), number, server or self._server)
        self.dialogs.append(dialog)
        return dialog

    def hang_up(self, dialog: Dialog) -> None:
        if dialog.is_up:
            self.rtp.remove(dialog.call)
            self._agent.hang_up(dialog)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Have `action` done by the loop so many seconds from now."""
        heapq.heappush(self._agenda, (time.monotonic() + seconds, next(self._numbers), action))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Go on for so long, or until `until` (asked each 20 ms) is true; whether it was."""
        if self.rtp.next_due() < time.monotonic() - 1.0 and not self.up:
            self.rtp.start()  # nobody talked meanwhile: the schedule begins anew
        end = time.monotonic() + seconds
        collects = gc.isenabled()
        gc.disable()
        try:
            while (now := time.monotonic()) < end:
                due = self.rtp.next_due()
                if due > now:
                    time.sleep(due - now)
                self._turn()
                if until is not None and len(self.rtp.ticks) % 20 == 0 and until():
                    return True
        finally:
            if collects:
                gc.enable()
        return until() if until is not None else True

    @property
    def up(self) -> list[Dialog]:
        return [dialog for dialog in self.dialogs if dialog.is_up]

    def record(self, tracked: list[int]) -> Heard:
        """Write down every packet from now on, and the payload of the `tracked` calls."""
        heard = Heard(len(self.rtp.first_tick))
        heard.tracked[tracked] = True
        self.rtp.heard = heard
        return heard

    def stop_recording(self) -> None:
        self.rtp.heard = None

    def first_frame_of(self, call: int) -> int:
        return (call * _STRIDE) % self.speech.loop

    def _turn(self) -> None:
        self.rtp.tick()
        self._agent.poll()
        now = time.monotonic()
        while self._agenda and self._agenda[0][0] <= now:
            heapq.heappop(self._agenda)[2]()

    def _on_final(self, dialog: Dialog) -> None:
        if dialog.status == 200:
            frame = self.speech.quiet_start if self.silent else self.first_frame_of(dialog.call)
            self.rtp.add(dialog.call, *dialog.media, frame=frame)
        self.watch(dialog)

    def _on_end(self, dialog: Dialog) -> None:
        if dialog.status == 200 and not dialog.hung_up_at:
            self.rtp.remove(dialog.call)  # the worker ended it
        self.watch(dialog)


class PacingMeter:
    """Of the generator itself, from its making to `read`."""

    def __init__(self, callers: Callers) -> None:
        self._rtp = callers.rtp
        self._since = len(callers.rtp.ticks)
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def read(self) -> Pacing:
        errors: NDArray[np.float64] = self._rtp.pacing_errors(self._since)
        if not len(errors):
            errors = np.zeros(1)
        wall = max(TICK_SECONDS, time.monotonic() - self._wall)
        return Pacing(
            p99_ms=float(np.percentile(errors, 99)) * 1000,
            worst_ms=float(errors.max()) * 1000,
            cpu_percent=(time.process_time() - self._cpu) / wall * 100,
        )
