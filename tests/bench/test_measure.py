"""The meters say what happened, on recordings whose delays, gaps and losses are known."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from bench import measure
from bench.rtp import Heard
from bench.speech import RATE, Speech, marked
from media_worker.audio import g711

FRAME = 160


@pytest.fixture(scope="module")
def speech() -> Speech:
    """Ten seconds of what looks like speech: noise whose colour and loudness wander."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, RATE * 10)
    smooth = np.convolve(noise, np.ones(6) / 6, "same")
    loudness = 4000 * (1.2 + np.sin(np.arange(len(noise)) / 700))
    return Speech(marked((smooth * loudness).clip(-32000, 32000).astype(np.int16)))


def sent(speech: Speech, frames: int = 300) -> measure.Stream:
    """A packet each 20 ms from second 100 on."""
    pcm = speech.pcm(0, frames).reshape(frames, FRAME)
    return measure.stream(list(pcm), 100 + np.arange(frames) * 0.02)


def chunked(pcm: np.ndarray, *, first_at: float, samples: int = 800) -> measure.Stream:
    """Chunks of 100 ms, each arriving when its last sample has been said, and `first_at` later."""
    pieces = [pcm[at : at + samples] for at in range(0, len(pcm) - samples + 1, samples)]
    return measure.stream(pieces, first_at + np.arange(len(pieces)) * samples / RATE)


def test_delay_upward_counts_from_each_packets_sending(speech: Speech) -> None:
    source = sent(speech)
    way = measure.upward(source, chunked(source.pcm, first_at=100.13))

    # The five packets of a chunk were sent 130, 110, 90, 70 and 50 ms before it came.
    assert np.percentile(way.delays, [0, 50, 100]) == pytest.approx([0.05, 0.09, 0.13], abs=1e-6)
    assert way.lost_ms == 0
    assert way.unknown == 0


def test_delay_upward_survives_resampling(speech: Speech) -> None:
    source = sent(speech)
    stream = soxr.ResampleStream(RATE, 24000, 1, dtype="int16", quality="LQ")
    there = [
        stream.resample_chunk(source.pcm[at : at + 800]) for at in range(0, len(source.pcm), 800)
    ]
    back = soxr.resample(np.concatenate(there), 24000, RATE)
    sizes = np.array([len(piece) / 3 for piece in there])
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    way = measure.upward(source, measure.Stream(back, begins, 100.13 + np.arange(len(there)) * 0.1))

    # What the resampler holds back (up to 40 ms at LQ) is delay too.
    assert 0.09 <= np.median(way.delays) <= 0.14
    assert way.unknown <= 0.02 * len(way.delays)
    assert way.lost_ms <= 1


def test_loss_upward_is_counted(speech: Speech) -> None:
    source = sent(speech)
    kept = np.concatenate([source.pcm[:16000], source.pcm[16480:]])
    way = measure.upward(source, chunked(kept, first_at=100.13))

    assert way.lost_ms == pytest.approx(60)
    assert way.longest_skip_ms == pytest.approx(60)


def test_delay_downward_counts_to_the_first_packet_of_a_chunk(speech: Speech) -> None:
    chunks = chunked(sent(speech).pcm, first_at=100)
    pcm = np.concatenate([np.zeros(5 * FRAME, np.int16), chunks.pcm])
    frames = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME)
    packets = measure.stream(list(frames), 99.935 + np.arange(len(frames)) * 0.02)
    way = measure.downward(chunks, packets)

    assert np.percentile(way.delays, [0, 100]) == pytest.approx([0.035, 0.035], abs=1e-6)
    assert way.unknown == 5  # the silence before


def test_delay_downward_follows_a_playout_that_has_fallen_behind(speech: Speech) -> None:
    chunks = chunked(sent(speech).pcm, first_at=100)
    frames = chunks.pcm.reshape(-1, FRAME)
    silence = np.zeros((10, FRAME), np.int16)
    frames = np.concatenate([frames[:100], silence, frames[100:]])
    packets = measure.stream(list(frames), 100.035 + np.arange(len(frames)) * 0.02)
    way = measure.downward(chunks, packets)

    assert way.delays[:10] == pytest.approx(0.035, abs=1e-6)
    assert way.delays[-10:] == pytest.approx(0.235, abs=1e-6)


def flow(**changes: object) -> measure.Flow:
    """A second of packets on time, with these changes."""
    told = {
        "sequence": np.arange(65520, 65570).astype(np.uint16),  # over the wrap
        "at": 7 + np.arange(50) * 0.02,
        "quiet": np.zeros(50, np.bool_),
        **changes,
    }
    return measure.flow(**told)


def test_flow_on_time_has_no_gap() -> None:
    found = flow()

    assert (found.packets, found.missing, found.late) == (50, 0, 0)
    assert found.longest_gap_ms == pytest.approx(0, abs=1e-6)


def test_flow_counts_silent_packets_as_a_gap() -> None:
    quiet = np.zeros(50, np.bool_)
    quiet[20:23] = True

    assert flow(quiet=quiet).longest_gap_ms == pytest.approx(60)


def test_flow_counts_a_wait_as_a_gap_and_its_packets_as_late() -> None:
    at = 7 + np.arange(50) * 0.02
    at[30:33] += [0.07, 0.05, 0.03]  # a stall of 70 ms, then all at once
    found = flow(at=at)

    assert found.late == 3
    assert found.longest_gap_ms == pytest.approx(70)


def test_flow_counts_packets_that_never_came() -> None:
    kept = np.delete(np.arange(50), [10, 11])
    quiet = np.zeros(48, np.bool_)
    found = flow(sequence=(65520 + kept).astype(np.uint16), at=7 + kept * 0.02, quiet=quiet)

    assert found.missing == 2
    assert found.longest_gap_ms == pytest.approx(40)


def test_flows_tells_calls_apart() -> None:
    heard = Heard(2)
    payload = np.frombuffer(g711.encode_mu_law(bytes(2 * FRAME)) * 2, np.uint8).reshape(2, FRAME)
    for packet in range(50):
        call = np.array([0, 1], np.int32)
        sequence = np.array([packet, 900 + packet * 2], np.uint16)
        at = np.array([7 + packet * 0.02, 7 + packet * 0.02])
        heard.add(call, sequence, at, payload, np.zeros(2, np.bool_))
    found = measure.flows(heard)

    assert found[0].missing == 0
    assert found[1].missing == 49
