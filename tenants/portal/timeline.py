"""A call as its page and its feed show it: what was said and done in order, and the turns.

Everything that a template needs is made here, so that the page and the feed cannot differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from tenants.models import Call, ToolCall, TranscriptEntry, Turn
from tenants.models.choices import Speaker
from tenants.portal import words
from tenants.portal.words import Badge

BAR_WIDTH: Final = 1000
"""Units of the turn bar's viewBox."""
BAR_LEAST_MS: Final = 1500
"""The bars of a call share one scale, which is at least this long."""


def element_id(kind: str, key: str) -> str:
    """A short id for the page: what providers name their items may hold anything."""
    return f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, kw_only=True)
class EntryItem:
    """One transcript entry."""

    element_id: str
    item_id: str
    position: int
    speaker: str
    speaker_word: str
    text: str
    cut_text: str
    final: bool
    offset_ms: int
    duration_ms: int
    template: str = "components/transcript_entry.html"


@dataclass(frozen=True, kw_only=True)
class ToolItem:
    """One tool call."""

    element_id: str
    position: int
    name: str
    title: str
    icon: str
    state: str
    badge: Badge
    result: str
    arguments: str
    """As JSON."""
    offset_ms: int
    duration_ms: int
    template: str = "components/tool_card.html"


TimelineItem = EntryItem | ToolItem


def entry_item(entry: TranscriptEntry) -> EntryItem:
    return EntryItem(
        element_id=element_id("entry", entry.item_id),
        item_id=entry.item_id,
        position=entry.position,
        speaker=entry.speaker,
        speaker_word=_("Caller") if entry.speaker == Speaker.CALLER else _("Agent"),
        text=entry.text,
        cut_text=entry.cut_text,
        final=entry.final,
        offset_ms=entry.offset_ms,
        duration_ms=entry.duration_ms,
    )


def tool_item(tool: ToolCall) -> ToolItem:
    return ToolItem(
        element_id=element_id("tool", tool.tool_call_id),
        position=tool.position,
        name=tool.name,
        title=words.tool_title(tool.name, tool.arguments),
        icon=words.tool_icon(tool.name),
        state=tool.state,
        badge=words.tool_badge(tool),
        result=tool.result,
        arguments=json.dumps(tool.arguments, ensure_ascii=False),
        offset_ms=tool.offset_ms,
        duration_ms=tool.duration_ms,
    )


def timeline(call: Call) -> list[TimelineItem]:
    """Entries and tool calls of a call by position. An entry without words yet is left out."""
    items: list[TimelineItem] = [
        entry_item(entry) for entry in TranscriptEntry.objects.filter(call=call) if is_shown(entry)
    ]
    items += [tool_item(tool) for tool in ToolCall.objects.filter(call=call)]
    return sorted(items, key=lambda item: item.position)


def is_shown(entry: TranscriptEntry) -> bool:
    """Nothing heard and nothing cut is noise, once it is finished."""
    return bool(entry.text or entry.cut_text) or not entry.final


@dataclass(frozen=True)
class BarPart:
    """A stretch of a turn's bar, in units of its viewBox."""

    kind: str
    x: int
    width: int
    ms: int


@dataclass(frozen=True, kw_only=True)
class TurnBar:
    """How long the caller waited for one turn, and what the wait was made of."""

    number: int
    name: str
    wait_ms: int | None
    interrupted: bool
    parts: tuple[BarPart, ...]
    spoken: str


def wait_ms(turn: Turn) -> int | None:
    """From the caller's last speech to the first packet of the answer; of a greeting from the
    call's answer; None: not measured.
    """
    began = 0 if _is_greeting(turn) else turn.caller_stopped_ms
    if turn.first_packet_ms is None or began is None:
        return None
    return max(0, turn.first_packet_ms - began)


def turn_bars(turns: Iterable[Turn]) -> list[TurnBar]:
    """The turns of a call, the last one first, on one scale."""
    measured = list(turns)
    longest = max([BAR_LEAST_MS, *(wait_ms(turn) or 0 for turn in measured)])
    return [_bar(turn, longest) for turn in sorted(measured, key=lambda turn: -turn.number)]


def _bar(turn: Turn, longest: int) -> TurnBar:
    wait = wait_ms(turn)
    spans = _spans(turn) if wait is not None else []
    parts, at = [], 0
    for kind, length in spans:
        width = round(length * BAR_WIDTH / longest)
        parts.append(BarPart(kind, at, width, length))
        at += width
    return TurnBar(
        number=turn.number,
        name=_name(turn),
        wait_ms=wait,
        interrupted=turn.interrupted,
        parts=tuple(parts),
        spoken=_spoken(wait, dict(spans)),
    )


def _is_greeting(turn: Turn) -> bool:
    """The first turn, when nobody had spoken before it."""
    return turn.number <= 1 and turn.caller_stopped_ms is None


def _name(turn: Turn) -> str:
    if _is_greeting(turn):
        return _("Greeting")
    if turn.caller_stopped_ms is None:
        return _("Turn %(number)d, spoke up by itself") % {"number": turn.number}
    return _("Turn %(number)d") % {"number": turn.number}


def _spans(turn: Turn) -> list[tuple[str, int]]:
    """The stretches of the wait in order; a mark that is missing joins its stretch to the next."""
    spans: list[tuple[str, int]] = []
    last = turn.caller_stopped_ms or 0
    marks = [
        ("end", None if _is_greeting(turn) else turn.end_known_ms),
        ("provider", turn.first_audio_ms),
        ("out", turn.first_packet_ms),
    ]
    for kind, mark in marks:
        if mark is not None:
            spans.append((kind, max(0, mark - last)))
            last = max(last, mark)
    return spans


def _spoken(wait: int | None, spans: dict[str, int]) -> str:
    if wait is None:
        return _("no wait measured")
    return _(
        "The caller waited %(wait)d ms: %(end)d ms until the end of speech was noticed,"
        " %(provider)d ms until the provider answered, %(out)d ms until it was on the line."
    ) % {
        "wait": wait,
        "end": spans.get("end", 0),
        "provider": spans.get("provider", 0),
        "out": spans.get("out", 0),
    }
