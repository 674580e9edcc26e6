"""Token counts of response.done, in the words of both dialects."""

from __future__ import annotations

from typing import Any

import pytest

from media_worker.contract import UsageKind, UsageReported
from tests.media_worker.realtime.cores import Feed, core


def usage(counts: Any) -> UsageReported | None:
    feed = Feed(core())
    feed.created()
    reported: UsageReported | None = feed.done(usage=counts)[-1].usage
    return reported


def test_all_details() -> None:
    counts = {
        "total_tokens": 1480,
        "input_tokens": 1200,
        "output_tokens": 280,
        "input_token_details": {
            "text_tokens": 700,
            "audio_tokens": 500,
            "image_tokens": 0,
            "cached_tokens": 640,
            "cached_tokens_details": {"text_tokens": 576, "audio_tokens": 64, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 60, "audio_tokens": 220},
    }
    assert usage(counts) == UsageReported(
        model="served-model",
        input_text_tokens=700,
        input_audio_tokens=500,
        cached_text_tokens=576,
        cached_audio_tokens=64,
        output_text_tokens=60,
        output_audio_tokens=220,
    )


def test_one_number_for_what_was_cached_is_text_first() -> None:
    details = {"text_tokens": 100, "audio_tokens": 300, "cached_tokens": 150}
    reported = usage({"input_tokens": 400, "input_token_details": details})
    assert reported is not None
    assert (reported.cached_text_tokens, reported.cached_audio_tokens) == (100, 50)


def test_totals_alone() -> None:
    reported = usage({"input_tokens": 40, "output_tokens": 9, "total_tokens": 49})
    assert reported is not None
    assert (reported.input_text_tokens, reported.output_text_tokens) == (40, 9)


@pytest.mark.parametrize("counts", [None, {"input_tokens": -4}, {"input_tokens": "many"}, [1]])
def test_no_counts_or_odd_ones_cost_nothing_but_the_counts(counts: Any) -> None:
    assert usage(counts) is None


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {
                "type": "tokens", "total_tokens": 30, "input_tokens": 22, "output_tokens": 8,
                "input_token_details": {"text_tokens": 2, "audio_tokens": 20},
            },
            UsageReported(
                kind=UsageKind.TRANSCRIPTION, model="gpt-transcribe", input_text_tokens=2,
                input_audio_tokens=20, output_text_tokens=8,
            ),
        ),
        (
            {"type": "duration", "seconds": 2.5},
            UsageReported(kind=UsageKind.TRANSCRIPTION, model="gpt-transcribe", seconds=2.5),
        ),
        (None, None),
        ({"seconds": -1}, None),
        ("rubbish", None),
    ],
)  # fmt: skip
def test_understanding_the_caller_is_counted_too(usage, expected) -> None:
    session = Feed(core(transcription_model="gpt-transcribe"))
    kind = "conversation.item.input_audio_transcription.completed"
    (event,) = session(kind, item_id="u1", content_index=0, transcript="Hello", usage=usage)
    assert (event.text, event.final, event.usage) == ("Hello", True, expected)
