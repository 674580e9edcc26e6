"""Who speaks, in all calls of the process together.

Every LISTEN_MS one look takes what came in of every call that is listened to and weighs it in
arrays, then each call's detector decides frame by frame. It reads beside those who take the audio:
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

TOGETHER_MS: Final = 160
"""Of speech that goes on, so much is decided at a time, which costs less than bit by bit."""

Hears = Callable[[VadEvent], None]


class VoiceActivity:
    """Belongs to one thread. `open` has a call listened to; `listen` hears what all of them say."""

    def __init__(self, clock_rate: int, neural: NeuralVad | None = None) -> None:
        self._clock_rate = clock_rate
        self._neural = neural
        self._reader: FrameReader | None = None
        self._ears: list[Ear] = []  # in the order of the reader
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
        self._ears.append(ear)
        return ear

    def listen(self) -> None:
        """Hear all that came in since the last time, then say what came of it."""
        if self._reader is None or not self._ears:
            return
        while self._hear(*self._reader.read()) == FRAMES_A_READ:
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
            if isinstance(ear, NeuralEar):
                del self._neural_ears[ear]

    def _hear(self, frames: NDArray[np.uint8], counts: NDArray[np.int32]) -> int:
        """The most frames that one call had; when it is all that a read gives, there are more."""
        most = int(counts.max())
        if not most:
            return 0
        heard = frames[:, :most]
        levels = levels_of(heard.view(np.int16)).tolist()
        pcm, size = heard.tobytes(), heard.shape[2]
        calls = zip(self._ears, counts.tolist(), levels, strict=True)
        for begin, (ear, count, loud) in zip(range(0, len(pcm), most * size), calls, strict=True):
            if count and not ear.is_deaf:
                ear.hear(pcm[begin : begin + count * size], loud[:count])
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
    def hear(self, pcm: bytes, levels: list[float]) -> None:
        """Frames of 16-bit PCM, and the RMS level of each in dB below full scale."""

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
    """Its detector decides at once, but where nothing can come of it: then some frames together."""

    def __init__(
        self, activity: VoiceActivity, detector: FrameDetector, silence_ms: int, hears: Hears
    ) -> None:
        super().__init__(activity, FRAME_MS, silence_ms, hears)
        self._decide = detector.decide
        self._together = min(TOGETHER_MS, silence_ms) // FRAME_MS
        self._parts: list[bytes] = []
        self._levels: list[float] = []

    def hear(self, pcm: bytes, levels: list[float]) -> None:
        self._frames += len(levels)
        self._parts.append(pcm)
        self._levels += levels
        if self._hysteresis.is_settled and len(self._levels) < self._together:
            return
        heard, levels = b"".join(self._parts), self._levels
        self._parts, self._levels = [], []
        for event in self._hysteresis.feed_all(self._decide(heard, levels)):
            self._note(event)


class NeuralEar(Ear):
    """Its windows are decided together with those of the other calls."""

    def __init__(
        self, activity: VoiceActivity, stream: NeuralStream, silence_ms: int, hears: Hears
    ) -> None:
        super().__init__(activity, stream.frame_ms, silence_ms, hears)
        self._stream = stream

    def hear(self, pcm: bytes, levels: list[float]) -> None:
        self._frames += len(levels)
        self._stream.feed(pcm)

    def decide(self) -> None:
        """What came of the windows that were full."""
        for is_speech in self._stream.decisions():
            event = self._hysteresis.feed(is_speech)
            if event is not None:
                self._note(event)

    def close(self) -> None:
        super().close()
        self._stream.close()
