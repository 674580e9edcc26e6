"""Who speaks, in all calls of the process together.

Every LISTEN_MS one look takes what came in of each call in which there can be news and weighs it in
arrays, then the call's detector decides frame by frame. It reads beside those who take the audio:
how large the pieces are that go to the provider changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media_worker.audio.capture import FRAMES_A_READ, FrameReader, FrameSource
from media_worker.audio.neural import NeuralStream, NeuralVad
from media_worker.audio.vad import (
    FRAME_MS,
    FrameDetector,
    Hysteresis,
    VadEvent,
    frame_detector,
    levels_of,
)
from media_worker.contract import LocalVad

ONSET_MS: Final = 60
LISTEN_MS: Final = 40
"""Twice as often costs a third more; nobody hears the 10 ms that an agent is silent sooner then."""

TOGETHER_MS: Final = 280
"""At most so much is heard at a time of a speech that cannot have ended before; a read's room."""

Hears = Callable[[VadEvent], None]


class VoiceActivity:
    """Belongs to one thread. `open` has a call listened to; `listen` hears what all of them say."""

    def __init__(self, clock_rate: int, neural: NeuralVad | None = None) -> None:
        self._clock_rate = clock_rate
        self._neural = neural
        self._reader: FrameReader | None = None
        self._ears: list[Ear] = []  # in the order of the reader
        self._looks = 0
        self._awaited: NDArray[np.int64] = np.zeros(8, np.int64)
        """At which look each ear is to hear again, in the same order."""
        self._neural_ears: dict[NeuralEar, None] = {}
        self._news: list[Ear] = []

    def open(self, source: FrameSource, mode: LocalVad, *, silence_ms: int, hears: Hears) -> Ear:
        """`hears` is told of each onset, and of the end when `silence_ms` have passed since.

        Where this machine has no model, WebRTC's VAD takes its place; the worker's log says so.
        """
        if self._reader is None:
            self._reader = source.new_reader()
        ear: Ear
        if mode is LocalVad.NEURAL and self._neural is not None:
            ear = NeuralEar(self, self._neural.open(), silence_ms, hears)
            self._neural_ears[ear] = None
        else:
            frame_mode = LocalVad.ENERGY if mode is LocalVad.ENERGY else LocalVad.WEBRTC
            ear = FrameEar(self, frame_detector(frame_mode, self._clock_rate), silence_ms, hears)
        self._reader.add(source)
        if len(self._ears) == len(self._awaited):
            self._awaited = np.resize(self._awaited, 2 * len(self._ears))
        self._awaited[len(self._ears)] = 0
        self._ears.append(ear)
        return ear

    def listen(self) -> None:
        """Hear what came in since the last time, then say what came of it."""
        if self._reader is None or not self._ears:
            return
        self._looks += 1
        due = np.flatnonzero(self._awaited[: len(self._ears)] <= self._looks)
        while len(due) and self._hear(due.tolist(), *self._reader.read(due)) == FRAMES_A_READ:
            pass
        if self._neural is not None:
            self._neural.run()
            for ear in self._neural_ears:
                ear.decide()
        news, self._news = self._news, []
        for teller in news:
            teller.tell()

    def await_turn(self, ear: Ear) -> None:
        """This ear has something to tell once all have heard."""
        self._news.append(ear)

    def leave(self, ear: Ear) -> None:
        """For ears that close. The last one takes its place, here as with the reader."""
        if self._reader is not None and ear in self._ears:
            place = self._ears.index(ear)
            self._reader.remove(place)
            self._ears[place] = self._ears[-1]
            self._ears.pop()
            self._awaited[place] = self._awaited[len(self._ears)]
            if isinstance(ear, NeuralEar):
                del self._neural_ears[ear]

    def _hear(self, places: list[int], frames: NDArray[np.uint8], counts: NDArray[np.int32]) -> int:
        """The most frames that one call had; when it is all that a read gives, there are more."""
        most = int(counts.max())
        if not most:
            return 0
        heard = frames[:, :most]
        levels = levels_of(heard.view(np.int16)).tolist()
        pcm, size = heard.tobytes(), heard.shape[2]
        begin = 0
        for place, count, loud in zip(places, counts.tolist(), levels, strict=True):
            ear = self._ears[place]
            if count and not ear.is_deaf:
                patience = ear.hear(pcm[begin : begin + count * size], loud[:count])
                if patience:
                    self._awaited[place] = self._looks + patience
            begin += most * size
        return most


class Ear(ABC):
    """Listens to one call."""

    def __init__(
        self, activity: VoiceActivity, frame_ms: int, silence_ms: int, hears: Hears
    ) -> None:
        self.is_deaf = False
        """What comes in is not listened to: the call is on hold."""
        self._activity = activity
        self._hears = hears
        self._frames = 0
        self._events: list[VadEvent] = []
        self._hysteresis = Hysteresis(onset_ms=ONSET_MS, silence_ms=silence_ms, frame_ms=frame_ms)

    @property
    def speaking(self) -> bool:
        return self._hysteresis.speaking

    @property
    def speech_ms(self) -> int:
        """How much of the speech that goes on was speech; 0 while nobody speaks."""
        return self._hysteresis.speech_ms

    @property
    def heard_ms(self) -> int:
        """How much was listened to: where the audio clock of the events stands."""
        return self._frames * FRAME_MS

    @abstractmethod
    def hear(self, pcm: bytes, levels: list[float]) -> int:
        """Frames of 16-bit PCM, and the RMS level of each in dB below full scale.

        Returns in how many looks there can be news of it; 0: in the next.
        """

    def tell(self) -> None:
        """Say what came of all that was heard."""
        events, self._events = self._events, []
        for event in events:
            self._hears(event)

    def close(self) -> None:
        self._activity.leave(self)

    def _note(self, event: VadEvent) -> None:
        if not self._events:
            self._activity.await_turn(self)
        self._events.append(event)


class FrameEar(Ear):
    """Its detector decides at once."""

    def __init__(
        self, activity: VoiceActivity, detector: FrameDetector, silence_ms: int, hears: Hears
    ) -> None:
        super().__init__(activity, FRAME_MS, silence_ms, hears)
        self._decide = detector.decide

    def hear(self, pcm: bytes, levels: list[float]) -> int:
        self._frames += len(levels)
        hysteresis = self._hysteresis
        for event in hysteresis.feed_all(self._decide(pcm, levels)):
            self._note(event)
        patience_ms = hysteresis.patience_ms
        return min(TOGETHER_MS, patience_ms) // LISTEN_MS if patience_ms else 0


class NeuralEar(Ear):
    """Its windows are decided together with those of the other calls."""

    def __init__(
        self, activity: VoiceActivity, stream: NeuralStream, silence_ms: int, hears: Hears
    ) -> None:
        super().__init__(activity, stream.frame_ms, silence_ms, hears)
        self._stream = stream

    def hear(self, pcm: bytes, levels: list[float]) -> int:
        self._frames += len(levels)
        self._stream.feed(pcm)
        return 0

    def decide(self) -> None:
        """What came of the windows that were full."""
        for is_speech in self._stream.decisions():
            event = self._hysteresis.feed(is_speech)
            if event is not None:
                self._note(event)

    def close(self) -> None:
        super().close()
        self._stream.close()
