"""Pieces of pages as the feeds send them; each is made by the template that its page uses.

Everything here runs inside the tenant's scope and the viewer's language and time zone.
"""

from __future__ import annotations

from typing import Any, Final, NotRequired, TypedDict

from django.template.loader import render_to_string

from tenants.models import Call, Member, Tenant, ToolCall
from tenants.portal.call import call_view
from tenants.portal.call_cost import call_cost
from tenants.portal.calls import CallRow, call_row, with_names
from tenants.portal.first_steps import steps_for_feed
from tenants.portal.frame import calls_running
from tenants.portal.start import calls_today, recent_calls, stats
from tenants.portal.timeline import TimelineItem, timeline, tool_item
from tenants.portal.words import RUNNING_STATES

LIVE_LIST: Final = "live-calls"
TRANSCRIPT: Final = "transcript"
LOG_PARTS: Final = {"call-log": "call_log", "call-muted": "call_muted"}
CALL_PARTS: Final = {
    "call-line": "call_line",
    "call-outcome": "call_outcome",
    "call-problems": "call_problems",
    "call-facts": "call_facts",
    "call-sound": "call_sound",
}
"""Elements of a call's page and the component that draws each."""


class Part(TypedDict):
    """An element: replaces the one with its id, else goes into a list by its position."""

    id: str
    html: str
    into: NotRequired[str]
    position: NotRequired[int]


def _draw(component: str, context: dict[str, Any]) -> str:
    return render_to_string(f"components/{component}.html", context)


def running_count() -> Part:
    return Part(id="running-count", html=_draw("running_count", {"count": calls_running()}))


def _row(row: CallRow) -> Part:
    return Part(
        id=row.element_id,
        html=_draw("call_row", {"call": row}),
        into=LIVE_LIST,
        position=row.position,
    )


def live_rows(tenant: Tenant) -> list[Part]:
    """The rows of all running calls."""
    calls = with_names(Call.objects.filter(state__in=RUNNING_STATES))
    return [_row(call_row(call, tenant.slug)) for call in calls]


def changed_rows(tenant: Tenant, public_ids: list[str]) -> tuple[list[Part], list[str]]:
    """The rows of those calls that run, and the ids of those that are over."""
    calls = with_names(Call.objects.filter(public_id__in=public_ids))
    rows = [(call.state in RUNNING_STATES, call_row(call, tenant.slug)) for call in calls]
    return (
        [_row(row) for is_running, row in rows if is_running],
        [row.element_id for is_running, row in rows if not is_running],
    )


def start_numbers(tenant: Tenant, member: Member) -> list[Part]:
    """The numbers, the last calls and the first steps of Start."""
    numbers = [
        Part(
            id=stat.id,
            html=_draw(
                "stat",
                {
                    "id": stat.id,
                    "label": stat.label,
                    "value": stat.value,
                    "note": stat.note,
                    "live": stat.live,
                },
            ),
        )
        for stat in stats(tenant, calls_running(), calls_today())
    ]
    recent = _draw("recent_calls", {"calls": recent_calls(tenant.slug)})
    found = [*numbers, Part(id="recent-calls", html=recent)]
    if steps := steps_for_feed(tenant, member):
        found.append(Part(id="first-steps", html=_draw("first_steps", {"steps": steps})))
    return found


def item_part(item: TimelineItem) -> Part:
    return Part(
        id=item.element_id,
        html=render_to_string(item.template, {"item": item}),
        into=TRANSCRIPT,
        position=item.position,
    )


def timeline_items(call: Call) -> list[Part]:
    return [item_part(item) for item in timeline(call)]


def tool(call: Call, tool_call_id: str) -> list[Part]:
    return [
        item_part(tool_item(found))
        for found in ToolCall.objects.filter(call=call, tool_call_id=tool_call_id)
    ]


def call_parts(call: Call, tenant: Tenant) -> list[Part]:
    """What a call's page says besides the transcript."""
    view = call_view(call, tenant.slug)
    drawn = [Part(id=id_, html=_draw(name, {"call": view})) for id_, name in CALL_PARTS.items()]
    return [
        *drawn,
        *[Part(id=id_, html=_draw(name, {"log": view.log})) for id_, name in LOG_PARTS.items()],
        Part(id="call-cost", html=_draw("call_cost", {"cost": call_cost(call)})),
        Part(id="turns", html=_draw("turns", {"turns": view.turns})),
        Part(id="call-recording", html=_draw("recording", {"recording": view.recording})),
    ]


def gone_with_end(call: Call) -> list[str]:
    """What the page of a call that is over no longer offers."""
    return [] if call.state in RUNNING_STATES else ["hang-up", "call-actions"]
