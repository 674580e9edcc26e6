"""What a call cost, and what it used of each model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tenants.models import Call, CallUsage
from tenants.models.choices import CallState
from tenants.portal.charts import Cell, Chart, Column, Row
from tenants.portal.timeline import TurnBar
from tenants.templatetags.ui import count, milliseconds, money

COUNTED_WITHIN: Final = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class UsageLine:
    """What was used of one model, in words; `small` for experts."""

    title: str | Promise
    model: str
    heard: str
    spoken: str
    small: str
    cost: str


@dataclass(frozen=True, kw_only=True)
class CallCost:
    total: str
    note: str | Promise
    lines: list[UsageLine]
    ask: str = ""
    """Where a page asks again, for it is being counted now."""


def call_cost(call: Call) -> CallCost:
    used = list(CallUsage.objects.filter(call=call).select_related("price"))
    lines = [_line(usage) for usage in used]
    if call.settled_at is None:
        return _unsettled(call, [replace(line, cost="") for line in lines])
    missing = any(usage.cost is None for usage in used)
    return CallCost(
        total=money(call.cost, call.currency),
        note=gettext_lazy("No price is known for a model of this call.") if missing else "",
        lines=lines,
    )


def _unsettled(call: Call, lines: list[UsageLine]) -> CallCost:
    """Jobs count it soon after the end; they may have no way to tell an open page."""
    if call.ended_at is None or call.state == CallState.REFUSED:
        note = _("It is counted when the call is over.") if lines or call.is_open else ""
        return CallCost(total="", note=note, lines=lines)
    ask = ""
    if call.tenant and timezone.now() - call.ended_at < COUNTED_WITHIN:
        place = {"slug": call.tenant.slug, "call_id": call.public_id}
        ask = reverse("portal:call", kwargs=place)
    return CallCost(total="", note=_("It is being counted."), lines=lines, ask=ask)


def _line(usage: CallUsage) -> UsageLine:
    cached = usage.cached_text_tokens + usage.cached_audio_tokens
    parts = [
        _("text: %(input)s in, %(output)s out")
        % {"input": count(usage.input_text_tokens), "output": count(usage.output_text_tokens)},
        _("from the cache: %(count)s") % {"count": count(cached)} if cached else "",
        ngettext("%(count)d response", "%(count)d responses", usage.responses)
        % {"count": usage.responses}
        if usage.responses
        else "",
        _("%(seconds).1f s") % {"seconds": usage.seconds} if usage.seconds else "",
    ]
    return UsageLine(
        title=usage.get_kind_display(),
        model=usage.model,
        heard=count(usage.input_audio_tokens),
        spoken=count(usage.output_audio_tokens),
        small=" · ".join(part for part in parts if part),
        cost=money(usage.cost, usage.price.currency if usage.price else ""),
    )


def waits_chart(turns: list[TurnBar]) -> Chart | None:
    """The wait before each answer as bars; None with fewer than two to compare."""
    waits = sorted((turn.number, turn.wait_ms) for turn in turns if turn.wait_ms is not None)
    if len(waits) < 2:
        return None
    return Chart(
        unit="ms",
        title=_("How long the caller waited"),
        head=_("Turn"),
        columns=[Column(gettext_lazy("Wait"))],
        rows=[
            Row(_("Turn %(number)d") % {"number": number}, [Cell(str(wait), milliseconds(wait))])
            for number, wait in waits
        ],
    )
