"""What a worker counts, for Prometheus: names, buckets, and where each number comes from.

Nothing here is told of a frame. Events are counted as they go to the outbox; what runs all the
time (audio, ticks, the outbox) is read where it is kept anyway, when somebody scrapes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram, Info, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from media_worker.contract import (
    AnyEvent,
    CallEnded,
    CallMeasured,
    EndCause,
    ProblemKind,
    ProviderProblem,
    RefusalReason,
    SessionOpened,
    TurnMeasured,
)

SETUP_BUCKETS: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5)
STAGE_BUCKETS: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)
WAIT_BUCKETS: Final = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10)
LAG_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.1, 0.25, 1)
DURATION_BUCKETS: Final = (5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
SCORE_BUCKETS: Final = (2.0, 2.6, 3.1, 3.6, 4.0, 4.2, 4.5)

STAGES: Final = ("end_known", "first_audio", "first_packet")


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the worker is at the moment of a scrape."""

    calls: int
    capacity: int
    draining: bool
    connected: bool
    outbox_depth: int
    outbox_oldest_at: float | None
    """Unix seconds."""
    late_ticks: int
    recordings_unsent: int = 0
    recordings_unsent_bytes: int = 0


class AudioCounts(msgspec.Struct):
    """Sums over calls."""

    late_frames: int = 0
    underruns: int = 0
    dropped_ms: int = 0
    heard_ms: int = 0
    not_sent_ms: int = 0

    def add(self, of: CallMeasured) -> None:
        self.late_frames += of.late_frames
        self.underruns += of.underruns
        self.dropped_ms += of.dropped_ms
        self.heard_ms += of.heard_ms
        self.not_sent_ms += of.not_sent_ms


class Metrics:
    """Of one worker. Methods belong to the event loop; `registry` may be read by any thread."""

    def __init__(self, *, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._version = version
        self._audio = _LiveCollector()
        registry.register(self._audio)
        self._make_call_metrics(registry)
        self._make_turn_metrics(registry)
        self._lag = Histogram(
            "pbxai_event_loop_lag_seconds",
            "How late the tick came that moves audio between calls and providers.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )

    def _make_call_metrics(self, registry: CollectorRegistry) -> None:
        self._admitted = Counter(
            "pbxai_calls_admitted", "Calls that were taken.", registry=registry
        )
        self._refused = Counter(
            "pbxai_calls_refused", "Calls that were not taken.", ["reason"], registry=registry
        )
        self._ended = Counter(
            "pbxai_calls_ended", "Calls that have ended.", ["cause"], registry=registry
        )
        self._problems = Counter(
            "pbxai_provider_problems",
            "What went wrong at providers. Fatal: it ended the call.",
            ["kind", "fatal"],
            registry=registry,
        )
        for reason in RefusalReason:
            self._refused.labels(reason.value)
        for cause in EndCause:
            self._ended.labels(cause.value)
        for kind in ProblemKind:
            for fatal in ("false", "true"):
                self._problems.labels(kind.value, fatal)
        self._setup = Histogram(
            "pbxai_call_setup_seconds",
            "From the INVITE until the call was up (the caller's ACK).",
            buckets=SETUP_BUCKETS,
            registry=registry,
        )
        self._duration = Histogram(
            "pbxai_call_duration_seconds",
            "Of calls that have ended, from the answer on.",
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self._session = Histogram(
            "pbxai_provider_session_open_seconds",
            "How long it took to open a provider session.",
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self._packets = Counter(
            "pbxai_rtp_packets",
            "RTP packets of callers, at the end of each call.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("received", "lost", "discarded"):
            self._packets.labels(outcome)
        self._score = Histogram(
            "pbxai_call_mos",
            "Estimated mean opinion score of ended calls (ITU-T G.107).",
            buckets=SCORE_BUCKETS,
            registry=registry,
        )

    def _make_turn_metrics(self, registry: CollectorRegistry) -> None:
        self._first_sound = Histogram(
            "pbxai_first_sound_seconds",
            "From the answer of a call until its agent, who speaks first, was on the line.",
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self._wait = Histogram(
            "pbxai_turn_wait_seconds",
            "From the end of the caller's speech to the first RTP packet of the answer.",
            buckets=WAIT_BUCKETS,
            registry=registry,
        )
        self._stage = Histogram(
            "pbxai_turn_stage_seconds",
            "The parts of that wait, each from the one before it.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        for stage in STAGES:
            self._stage.labels(stage)
        self._interrupted = Counter(
            "pbxai_turns_interrupted", "Answers that the caller cut off.", registry=registry
        )

    # --- what is told ----------------------------------------------------------------------------

    def watch(self, status: Callable[[], WorkerStatus], *, sip_build: str) -> None:
        """The worker has started; `status` is asked at each scrape, on the scrape's thread."""
        build = Info("pbxai_build", "What runs here.", registry=self.registry)
        build.info({"version": self._version, "pjsua2": sip_build})
        self._audio.status = status

    def admitted(self) -> None:
        self._admitted.inc()

    def refused(self, reason: RefusalReason) -> None:
        self._refused.labels(reason.value).inc()

    def set_up(self, seconds: float) -> None:
        """A call is up, so long after its INVITE."""
        self._setup.observe(seconds)

    def ticked(self, lag_seconds: float) -> None:
        self._lag.observe(lag_seconds)

    def call_began(self, call_id: str, counts: Callable[[], CallMeasured]) -> None:
        """`counts` is asked at each scrape, on the scrape's thread, until the call is measured."""
        self._audio.follow(call_id, counts)

    def call_over(self, call_id: str) -> None:
        """Whether it was measured or not."""
        self._audio.forget(call_id)

    def late_frames(self) -> int:
        """Frames of 20 ms that were handed out late since the start."""
        return self._audio.sums().late_frames

    def note(self, call_id: str, event: AnyEvent) -> None:
        """Count what happened."""
        match event:
            case CallEnded():
                self._ended.labels(event.cause.value).inc()
                self._duration.observe(event.duration_ms / 1000)
            case CallMeasured():
                self._audio.settle(call_id, event)
                self._note_line(event)
            case SessionOpened():
                self._session.observe(event.took_ms / 1000)
            case ProviderProblem():
                self._problems.labels(event.kind.value, str(event.fatal).lower()).inc()
            case TurnMeasured():
                self._note_turn(event)

    def _note_line(self, event: CallMeasured) -> None:
        for outcome, count in (
            ("received", event.packets_received),
            ("lost", event.packets_lost),
            ("discarded", event.packets_discarded),
        ):
            if count > 0:
                self._packets.labels(outcome).inc(count)
        if event.mos is not None:
            self._score.observe(event.mos)

    def _note_turn(self, turn: TurnMeasured) -> None:
        if turn.interrupted:
            self._interrupted.inc()
        if turn.caller_stopped_ms is None:
            if turn.number == 1 and turn.first_packet_ms is not None:
                self._first_sound.observe(turn.first_packet_ms / 1000)
            return
        if turn.first_packet_ms is None:
            return
        self._wait.observe(max(0, turn.first_packet_ms - turn.caller_stopped_ms) / 1000)
        last = turn.caller_stopped_ms
        marks = (turn.end_known_ms, turn.first_audio_ms, turn.first_packet_ms)
        for stage, mark in zip(STAGES, marks, strict=True):
            if mark is not None:
                self._stage.labels(stage).observe(max(0, mark - last) / 1000)
                last = mark


class _LiveCollector(Collector):
    """Reads at each scrape what is counted elsewhere. A call is counted by what it says of itself
    while it runs, and by its last word from then on; the lock keeps it from being counted twice."""

    def __init__(self) -> None:
        self.status: Callable[[], WorkerStatus] | None = None
        self._lock = threading.Lock()
        self._over = AudioCounts()
        self._running: dict[str, Callable[[], CallMeasured]] = {}

    def follow(self, call_id: str, counts: Callable[[], CallMeasured]) -> None:
        with self._lock:
            self._running[call_id] = counts

    def settle(self, call_id: str, last: CallMeasured) -> None:
        with self._lock:
            self._running.pop(call_id, None)
            self._over.add(last)

    def forget(self, call_id: str) -> None:
        with self._lock:
            self._running.pop(call_id, None)

    def collect(self) -> Iterator[Metric]:
        if self.status is None:
            return
        yield from _status_metrics(self.status())
        yield from _audio_metrics(self.sums())

    def sums(self) -> AudioCounts:
        """Of the calls that are over and those that run."""
        with self._lock:
            sums = msgspec.structs.replace(self._over)
            for counts in self._running.values():
                sums.add(counts())
        return sums


def _status_metrics(status: WorkerStatus) -> Iterator[Metric]:
    oldest = status.outbox_oldest_at
    waiting = max(0.0, time.time() - oldest) if oldest is not None else 0.0
    for name, help_text, value in (
        ("pbxai_calls_active", "Calls that are up right now.", status.calls),
        ("pbxai_calls_capacity", "Calls that this worker can take at once.", status.capacity),
        ("pbxai_draining", "1 while the worker takes no new calls.", status.draining),
        ("pbxai_link_connected", "1 while the link to the web side is up.", status.connected),
        ("pbxai_outbox_records", "Events the web side has not stored.", status.outbox_depth),
        ("pbxai_outbox_oldest_seconds", "Age of the oldest of them.", waiting),
        (
            "pbxai_recordings_unsent",
            "Recordings the web side has not stored.",
            status.recordings_unsent,
        ),
        ("pbxai_recordings_unsent_bytes", "Their size here.", status.recordings_unsent_bytes),
    ):
        yield GaugeMetricFamily(name, help_text, value=float(value))
    yield CounterMetricFamily(
        "pbxai_ticks_late",
        "Ticks that were left out because the event loop was busy.",
        value=status.late_ticks,
    )


def _audio_metrics(sums: AudioCounts) -> Iterator[Metric]:
    sent_ms = max(0, sums.heard_ms - sums.not_sent_ms)
    for name, help_text, value in (
        ("pbxai_frames_late", "Frames of 20 ms that were handed out late.", sums.late_frames),
        ("pbxai_playout_underruns", "Gaps inside of the agent's speech.", sums.underruns),
        ("pbxai_audio_dropped_seconds", "Callers' audio lost here.", sums.dropped_ms / 1e3),
        ("pbxai_audio_sent_seconds", "Callers' audio that went to providers.", sent_ms / 1e3),
        (
            "pbxai_audio_not_sent_seconds",
            "Callers' audio kept back: nobody spoke, or the call was on hold.",
            sums.not_sent_ms / 1e3,
        ),
    ):
        yield CounterMetricFamily(name, help_text, value=value)
