"""The E-model against values that are published."""

from __future__ import annotations

import pytest

from media_worker.audio.emodel import (
    CODINGS,
    Coding,
    delay_impairment,
    loss_impairment,
    mean_opinion_score,
    opinion_of,
)


# G.107 table B.1: the limits of the classes of satisfaction, by R.
@pytest.mark.parametrize(("r", "mos"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_rating_becomes_the_opinion_of_the_recommendation(r, mos):
    assert opinion_of(r) == pytest.approx(mos, abs=0.01)


def test_default_connection_has_the_published_score():
    assert mean_opinion_score("PCMU", loss=0, one_way_ms=0) == pytest.approx(4.41, abs=0.005)


def test_opinion_stays_within_its_scale():
    assert [opinion_of(r) for r in (-50, 0, 3, 100, 120)] == [1.0, 1.0, 1.0, 4.5, 4.5]


def test_loss_hurts_as_much_as_the_codec_lets_it():
    # 1 % random loss: 95 * 1 / (1 + Bpl)
    assert loss_impairment(Coding(0, 4.3), 0.01) == pytest.approx(17.92, abs=0.01)
    assert loss_impairment(CODINGS["PCMA"], 0.01) == pytest.approx(3.64, abs=0.01)
    # G.729A: Ie 11, Bpl 19 (G.113 table I.4)
    assert loss_impairment(Coding(11, 19), 0.02) == pytest.approx(19.0, abs=0.01)
    assert loss_impairment(CODINGS["PCMU"], 0) == 0


def test_delay_hurts_little_until_it_is_noticed():
    assert delay_impairment(100) == pytest.approx(2.4)
    assert delay_impairment(177.3) == pytest.approx(4.26, abs=0.01)
    assert delay_impairment(300) == pytest.approx(7.2 + 13.5, abs=0.01)


def test_more_loss_and_more_delay_never_make_it_better():
    losses = [mean_opinion_score("PCMU", loss=n / 100, one_way_ms=50) for n in range(101)]
    assert losses == sorted(losses, reverse=True)
    delays = [mean_opinion_score("PCMU", loss=0.01, one_way_ms=n) for n in range(0, 1000, 10)]
    assert delays == sorted(delays, reverse=True)


def test_tenth_of_the_packets_lost_is_a_poor_call():
    assert mean_opinion_score("PCMU", loss=0.1, one_way_ms=60) == pytest.approx(3.34, abs=0.02)


def test_every_codec_of_the_worker_has_a_score_and_others_none():
    for codec in ("PCMU", "PCMA", "G722", "opus"):
        assert mean_opinion_score(codec, loss=0, one_way_ms=20) > 4.2
    assert mean_opinion_score("GSM", loss=0, one_way_ms=20) is None
