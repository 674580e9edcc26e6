"""How a call sounded, in plain words: what its media worker measured of the line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from tenants.models import Call, CallQuality
from tenants.portal.words import RUNNING_STATES, Badge
from tenants.templatetags.ui import clock, milliseconds, tenths

Fact = tuple[str, Any, str]
"""As in tenants.portal.call."""

GOOD_MOS: Final = 4.0
"""ITU-T G.107 table B.1: from here on users are satisfied."""
FAIR_MOS: Final = 3.6
"""From here on some are dissatisfied; below it many are."""

_GRADES: Final = (
    (
        GOOD_MOS,
        Badge(pgettext_lazy("sound of a call", "Good"), "good", "good"),
        gettext_lazy("Speech came through clearly."),
    ),
    (
        FAIR_MOS,
        Badge(pgettext_lazy("sound of a call", "Fair"), "warn", "fair"),
        gettext_lazy("Some speech was lost on the way. One notices, but understands."),
    ),
    (
        0.0,
        Badge(pgettext_lazy("sound of a call", "Poor"), "bad", "poor"),
        gettext_lazy(
            "Much speech was lost on the way: words are hard to understand, for people and for"
            " the agent. Look at the network between the telephone system and us."
        ),
    ),
)
"""Least score, word, what it means."""


_BEST_MOS: Final = 4.5
_WORST_MOS: Final = 1.0
WIDTH: Final = 1000
"""Units of the charts' viewBox."""
LEAST_PART: Final = 6
"""Of what happened at all: one lost packet of thousands is to be seen."""


@dataclass(frozen=True)
class Part:
    """A stretch of a chart, in units of its viewBox."""

    kind: str
    x: int
    width: int


@dataclass(frozen=True)
class Flow:
    """Packets that went one way: which of them arrived, came too late, were lost."""

    title: str
    parts: tuple[Part, ...]
    spoken: str


@dataclass(frozen=True)
class Scale:
    """Where the score lies between the worst and the best; `at` in units of the viewBox."""

    parts: tuple[Part, ...]
    at: int
    spoken: str


@dataclass(frozen=True, kw_only=True)
class Sound:
    """`badge` is None where there is nothing to judge by."""

    badge: Badge | None
    sentence: str | Promise
    small: str
    facts: list[Fact]
    experts: list[Fact]
    scale: Scale | None = None
    flows: tuple[Flow, ...] = ()


def sound(call: Call) -> Sound:
    quality: CallQuality | None = getattr(call, "quality", None)
    if quality is None:
        running = call.state in RUNNING_STATES
        text = _("Measured when the call has ended.") if running else _("Nothing was measured.")
        return Sound(badge=None, sentence=text, small="", facts=[], experts=[])
    badge, sentence = _judged(quality.mos)
    return Sound(
        badge=badge,
        sentence=sentence,
        small=_score(quality.mos),
        facts=_facts(quality),
        experts=_expert_facts(quality),
        scale=_scale(quality.mos),
        flows=tuple(_flows(quality)),
    )


def _judged(mos: float | None) -> tuple[Badge | None, str | Promise]:
    if mos is None:
        return None, _("Too little was heard of the caller to judge the line.")
    return next((badge, sentence) for least, badge, sentence in _GRADES if mos >= least)


def _score(mos: float | None) -> str:
    if mos is None:
        return ""
    score = tenths(mos)
    return _("MOS %(score)s, estimated by ITU-T G.107; 4.4 is the best") % {"score": score}


def _scale(mos: float | None) -> Scale | None:
    if mos is None:
        return None
    fair, good, at = (
        round(WIDTH * (score - _WORST_MOS) / (_BEST_MOS - _WORST_MOS))
        for score in (FAIR_MOS, GOOD_MOS, min(max(mos, _WORST_MOS), _BEST_MOS))
    )
    parts = (
        Part("poor", 0, fair),
        Part("fair", fair, good - fair),
        Part("good", good, WIDTH - good),
    )
    return Scale(parts, at, _score(mos))


def _flows(quality: CallQuality) -> Iterator[Flow]:
    """To us and to the caller, as far as they were measured."""
    if quality.packets_received is not None and quality.packets_lost is not None:
        late = min(quality.packets_discarded or 0, quality.packets_received)
        yield from _flow(
            _("To us"), quality.packets_received - late, late, max(0, quality.packets_lost)
        )
    if quality.packets_sent is not None and quality.remote_lost is not None:
        lost = min(max(0, quality.remote_lost), quality.packets_sent)
        yield from _flow(_("To the caller"), quality.packets_sent - lost, 0, lost)


def _flow(title: str, arrived: int, late: int, lost: int) -> Iterator[Flow]:
    sent = arrived + late + lost
    if not sent:
        return
    late_width, lost_width = (
        max(LEAST_PART, round(WIDTH * part / sent)) if part else 0 for part in (late, lost)
    )
    on_time = max(0, WIDTH - late_width - lost_width)
    parts = (
        Part("arrived", 0, on_time),
        Part("late", on_time, late_width),
        Part("lost", on_time + late_width, lost_width),
    )
    shares = {
        "title": title,
        "arrived": _share(arrived, sent)[0],
        "late": _share(late, sent)[0],
        "lost": _share(lost, sent)[0],
    }
    spoken = _("%(title)s: %(arrived)s arrived, %(late)s came too late, %(lost)s was lost") % shares
    yield Flow(title, tuple(part for part in parts if part.width), spoken)


def _facts(quality: CallQuality) -> list[Fact]:
    facts: list[Fact] = []
    if quality.packets_received is not None and quality.packets_lost is not None:
        sent = quality.packets_received + quality.packets_lost
        facts.append((_("Lost on the way to us"), *_share(quality.packets_lost, sent)))
        if quality.packets_discarded is not None:
            facts.append((_("Came too late"), *_share(quality.packets_discarded, sent)))
    if quality.packets_received:
        most = _("at most %(time)s") % {"time": _fine_ms(quality.jitter_max_ms)}
        facts.append((_("Jitter"), _fine_ms(quality.jitter_ms), most))
    if quality.remote_lost is not None and quality.packets_sent is not None:
        share = _share(quality.remote_lost, quality.packets_sent)
        facts.append((_("Lost on the way to the caller"), *share))
    if quality.heard_ms:
        facts.append(
            (
                _("Not sent to the provider"),
                _("%(part)s of %(whole)s")
                % {"part": clock(quality.not_sent_ms), "whole": clock(quality.heard_ms)},
                _("nobody spoke, or the call was on hold") if quality.not_sent_ms else "",
            )
        )
    if quality.underruns:
        count = ngettext("%(count)d time", "%(count)d times", quality.underruns)
        facts.append(
            (
                _("Gaps in the agent's speech"),
                count % {"count": quality.underruns},
                _("the provider's sound came too slowly"),
            )
        )
    return facts


def _expert_facts(quality: CallQuality) -> list[Fact]:
    facts: list[Fact] = []
    if quality.round_trip_ms:
        facts.append((_("Round trip"), milliseconds(round(quality.round_trip_ms)), _("by RTCP")))
    if quality.late_frames:
        facts.append((_("Late frames"), number_format(quality.late_frames), _("of 20 ms each")))
    if quality.dropped_ms:
        facts.append((_("Caller's sound lost here"), milliseconds(quality.dropped_ms), ""))
    return facts


def _share(part: int, whole: int) -> tuple[str, str]:
    """A percentage of packets, and the packets themselves for experts."""
    percent = tenths(100 * part / whole if whole else 0)
    counts = {
        "part": number_format(part, force_grouping=True),
        "whole": number_format(whole, force_grouping=True),
    }
    return _("%(percent)s %%") % {"percent": percent}, _("%(part)s of %(whole)s packets") % counts


def _fine_ms(value: float) -> str:
    return f"{tenths(value)} ms"
