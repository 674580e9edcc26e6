"""What a provider complains of, in our words; and audio that is not what was declared."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from media_worker.contract import AudioFormat, ProblemKind
from media_worker.realtime.session import (
    AgentAudio,
    AgentAudioDone,
    AgentItem,
    Heard,
    Problem,
    ResponseFinished,
)
from tests.media_worker.realtime import plans
from tests.media_worker.realtime.cores import Feed, core
from tests.media_worker.realtime.signals import PCM24_SPEECH, PCMA_SPEECH, PCMU_SPEECH


@pytest.fixture
def feed() -> Feed:
    return Feed(core())


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def failed(code: str | None, kind: str | None = None, message: str = "no") -> dict[str, Any]:
    error = {"type": kind, "code": code, "message": message}
    return {"status": "failed", "status_details": {"type": "failed", "error": error}}


# --- responses that fail -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "type_", "kind"),
    [
        ("rate_limit_exceeded", "tokens", ProblemKind.RATE_LIMIT),
        ("insufficient_quota", "insufficient_quota", ProblemKind.QUOTA),
        ("billing_hard_limit_reached", None, ProblemKind.QUOTA),
        ("credit_balance_exhausted", None, ProblemKind.QUOTA),
        (None, "server_error", ProblemKind.SILENT),
        (None, None, ProblemKind.SILENT),
        ("invalid_value", "invalid_request_error", ProblemKind.PROTOCOL),
    ],
)
def test_a_failed_response_says_why(
    feed: Feed, code: str | None, type_: str | None, kind: ProblemKind
) -> None:
    feed.created()
    problem, finished = feed.done(**failed(code, type_, "Limit reached."))
    assert problem == Problem(kind=kind, code=code or type_ or "", message="Limit reached.")
    assert finished.status == "failed"
    assert feed.session.ended is None


def test_a_failure_without_a_reason(feed: Feed) -> None:
    feed.created()
    problem, _ = feed.done(status="failed")
    assert problem.message == "The provider gave no reason."


# --- errors --------------------------------------------------------------------------------------


def test_a_recoverable_error_is_a_problem(feed: Feed) -> None:
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": "Odd item."}
    assert feed("error", error=error) == [
        Problem(kind=ProblemKind.PROTOCOL, code="invalid_value", message="Odd item.")
    ]


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        ("session_expired", ProblemKind.SESSION_EXPIRED, True),
        ("invalid_api_key", ProblemKind.KEY_REFUSED, False),
        ("insufficient_quota", ProblemKind.QUOTA, False),
        ("beta_api_shape_disabled", ProblemKind.DIALECT_REFUSED, False),
        ("model_not_found", ProblemKind.MODEL_REFUSED, False),
    ],
)
def test_a_fatal_error_ends_the_session(
    feed: Feed, code: str, kind: ProblemKind, retryable: bool
) -> None:
    assert feed("error", error={"type": "invalid_request_error", "code": code}) == []
    ended = feed.session.ended
    assert ended is not None
    assert (ended.kind, ended.code, ended.retryable) == (kind, code, retryable)


def test_a_refused_guard_ends_the_session_because_the_agent_would_never_answer() -> None:
    feed = Feed(core(guarded=True))
    feed.session.set_guard(False)
    event_id = feed.sent_id()
    feed("error", error={"type": "invalid_request_error", "message": "?", "event_id": event_id})
    assert feed.session.ended is not None
    assert feed.session.ended.kind is ProblemKind.SETTINGS_REFUSED


def test_an_error_a_frame_does_not_flood(feed: Feed) -> None:
    told = [feed("error", error={"code": "audio_odd", "message": "?"}) for _ in range(500)]
    assert sum(len(events) for events in told) == 3


def test_neither_key_nor_prompt_get_through(feed: Feed) -> None:
    message = f"Bad key {plans.KEY} for {plans.PROMPT} " + "x" * 1000
    (problem,) = feed("error", error={"message": message})
    assert plans.KEY not in problem.message
    assert "dental" not in problem.message
    assert problem.message.startswith("Bad key *** for ***")
    assert len(problem.message) <= 400


# --- text instead of speech ----------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["output_text", "text"])
def test_text_alone_is_a_problem(feed: Feed, prefix: str) -> None:
    feed.created()
    feed(f"response.{prefix}.delta", item_id="a1", response_id="resp_1", delta="Hi")
    (problem,) = feed(f"response.{prefix}.done", item_id="a1", response_id="resp_1", text="Hi")
    assert problem.kind is ProblemKind.TEXT_ONLY
    assert feed.done() == [ResponseFinished(response_id="resp_1", status="completed")]


def test_text_alone_is_noticed_at_the_end_of_the_response_at_the_latest(feed: Feed) -> None:
    feed.created()
    feed("response.output_text.delta", item_id="a1", response_id="resp_1", delta="Hi")
    assert [event.kind for event in feed.done() if isinstance(event, Problem)] == [
        ProblemKind.TEXT_ONLY
    ]


def test_text_beside_speech_is_none(feed: Feed) -> None:
    feed.created()
    feed.audio("a1", b64(PCMU_SPEECH))
    feed("response.output_text.delta", item_id="a1", response_id="resp_1", delta="Hi")
    assert feed("response.output_text.done", item_id="a1", response_id="resp_1") == []
    assert [event for event in feed.done() if isinstance(event, Problem)] == []


# --- audio that is not what was declared ---------------------------------------------------------


@pytest.mark.parametrize("declared", [AudioFormat.PCMU, AudioFormat.PCMA])
def test_pcm_declared_as_g711_is_played_as_pcm(declared: AudioFormat) -> None:
    feed = Feed(core(opened=declared))
    feed.created()
    begun, problem, audio = feed.audio("a1", b64(PCM24_SPEECH))
    assert isinstance(begun, AgentItem)
    assert problem.kind is ProblemKind.WRONG_AUDIO
    assert audio == AgentAudio("a1", PCM24_SPEECH)
    assert feed.session.info.output_format is AudioFormat.PCM_24K
    assert feed.session.info.input_format is declared
    assert feed.audio("a1", b64(PCM24_SPEECH)) == [AgentAudio("a1", PCM24_SPEECH)]
    feed.session.interrupt(Heard("a1", 5000))
    assert feed.sent()[-1]["audio_end_ms"] == 1000


@pytest.mark.parametrize(
    ("declared", "speech"), [(AudioFormat.PCMU, PCMU_SPEECH), (AudioFormat.PCMA, PCMA_SPEECH)]
)
def test_g711_is_left_alone(declared: AudioFormat, speech: bytes) -> None:
    feed = Feed(core(opened=declared))
    feed.created()
    _, audio = feed.audio("a1", b64(speech))
    assert audio == AgentAudio("a1", speech)
    assert feed.session.info.output_format is declared


def test_small_deltas_are_held_back_until_they_can_be_judged_and_nothing_is_lost(
    feed: Feed,
) -> None:
    feed.created()
    events = [
        event
        for at in range(0, len(PCM24_SPEECH), 400)
        for event in feed.audio("a1", b64(PCM24_SPEECH[at : at + 400]))
    ]
    first_audio = next(i for i, event in enumerate(events) if isinstance(event, AgentAudio))
    assert isinstance(events[first_audio - 1], Problem)
    played = b"".join(event.data for event in events if isinstance(event, AgentAudio))
    assert played == PCM24_SPEECH


def test_what_is_too_short_to_judge_is_played_at_its_end(feed: Feed) -> None:
    feed.created()
    feed.item("a1")
    assert feed.audio("a1", b64(PCMU_SPEECH[:300])) == []
    assert feed.audio_done("a1") == [AgentAudio("a1", PCMU_SPEECH[:300]), AgentAudioDone("a1")]


def test_what_is_too_short_to_judge_is_played_when_the_response_ends(feed: Feed) -> None:
    feed.created()
    feed.item("a1")
    feed.audio("a1", b64(PCMU_SPEECH[:300]))
    audio, finished = feed.done()
    assert audio == AgentAudio("a1", PCMU_SPEECH[:300])
    assert finished.had_audio


def test_what_is_too_short_of_an_item_that_nothing_announced_is_played_too(feed: Feed) -> None:
    feed.created()
    feed.audio("a1", b64(PCMU_SPEECH[:300]))
    assert AgentAudio("a1", PCMU_SPEECH[:300]) in feed.done()


def test_silence_says_nothing_and_the_speech_after_it_is_judged(feed: Feed) -> None:
    feed.created()
    feed.item("a1")
    feed.audio("a1", b64(bytes(4800)))
    problem, audio = feed.audio("a1", b64(PCM24_SPEECH))
    assert problem.kind is ProblemKind.WRONG_AUDIO
    assert audio == AgentAudio("a1", PCM24_SPEECH)


def test_declared_pcm_is_never_held_back() -> None:
    feed = Feed(core(opened=AudioFormat.PCM_24K))
    feed.created()
    feed.item("a1")
    assert feed.audio("a1", b64(b"\x01\x00")) == [AgentAudio("a1", b"\x01\x00")]
