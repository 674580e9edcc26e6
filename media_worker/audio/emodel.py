"""An estimate of how good a call sounds: the E-model of ITU-T G.107, cut down to what is measured.

R = 93.2 - Id - Ie_eff. 93.2 is what is left with every other parameter at its default (G.107
table 3). Ie_eff is G.107 equation 7-29 with random loss (BurstR 1). Id, for the delay, is the
approximation of Cole and Rosenbluth (ACM SIGCOMM CCR 31/2, 2001). R becomes a mean
opinion score by G.107 annex B.
"""

from __future__ import annotations

from typing import Final

import msgspec

BEST_R: Final = 93.2
NOTICED_DELAY_MS: Final = 177.3
"""One way; beyond it delay disturbs the talk far more."""


class Coding(msgspec.Struct, frozen=True):
    """What a codec does to speech (G.113 appendix I)."""

    impairment: float
    """Ie, without any loss."""
    robustness: float
    """Bpl, against packet loss."""


G711_CONCEALED: Final = Coding(0.0, 25.1)
"""G.711 with concealment of lost packets, which pjmedia does; without it Bpl were 4.3."""

CODINGS: Final[dict[str, Coding]] = {
    "PCMU": G711_CONCEALED,
    "PCMA": G711_CONCEALED,
    # Our choice: there are no values for wideband codecs on the scale for telephones (G.107.1 has
    # a scale of its own, to 129). They count as G.711; that they sound better is not counted.
    "G722": G711_CONCEALED,
    "OPUS": G711_CONCEALED,
}
"""By RTP encoding name in upper case (RFC 3551)."""


def mean_opinion_score(
    codec: str, *, loss: float, one_way_ms: float, codings: dict[str, Coding] = CODINGS
) -> float | None:
    """1.0 (bad) to 4.41; None for a codec that we have no values for.

    `codec`: RTP encoding name; `loss`: share of the packets that were not played, 0 to 1;
    `one_way_ms`: from mouth to ear.
    """
    coding = codings.get(codec.upper())
    if coding is None:
        return None
    return opinion_of(BEST_R - delay_impairment(one_way_ms) - loss_impairment(coding, loss))


def loss_impairment(coding: Coding, loss: float) -> float:
    """Ie_eff (G.107 equation 7-29)."""
    percent = 100 * min(1.0, max(0.0, loss))
    return coding.impairment + (95 - coding.impairment) * percent / (percent + coding.robustness)


def delay_impairment(one_way_ms: float) -> float:
    """Id of a connection without echo."""
    beyond = max(0.0, one_way_ms - NOTICED_DELAY_MS)
    return 0.024 * max(0.0, one_way_ms) + 0.11 * beyond


def opinion_of(r: float) -> float:
    """Mean opinion score of a rating R (G.107 annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
