"""One call, running or over: what was said and done, why it ended, how long the caller waited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import Call, Turn
from tenants.models.choices import AudioFormat, CallState
from tenants.portal import setting_words, words
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.actions import actions
from tenants.portal.call_cost import call_cost, waits_chart
from tenants.portal.call_log import CallLog, call_log
from tenants.portal.calls import agent_text, called_text, caller_text, shown_duration_ms
from tenants.portal.frame import feed_address, render_page
from tenants.portal.marks import marks
from tenants.portal.recording import RecordingView, recording_view
from tenants.portal.sound import Sound, sound
from tenants.portal.timeline import TurnBar, timeline, turn_bars
from tenants.portal.words import RUNNING_STATES, Badge
from tenants.services import problems
from tenants.services.problems import Trouble
from tenants.templatetags.ui import DASH, milliseconds, when

Fact = tuple[str, Any, str]
"""Name, value, and a smaller line for experts; see templates/components/facts.html."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What went wrong at the provider; `small`: at which account, and what it said itself."""

    text: str
    small: str
    offset_ms: int
    tone: str


@dataclass(frozen=True, kw_only=True)
class UsedSetting:
    label: str | Promise
    text: str
    level: str


@dataclass(frozen=True, kw_only=True)
class CallView:
    """A call as the templates of its page and its feed need it."""

    public_id: str
    from_text: str
    to_text: str
    badge: Badge
    is_running: bool
    since: str
    duration_ms: int | None
    outcome: str
    outcome_small: str
    outcome_tone: str
    facts: list[Fact]
    experts: list[Fact]
    problems: list[Problem]
    turns: list[TurnBar]
    sound: Sound
    recording: RecordingView
    log: CallLog


def find_call(call_id: UUID) -> Call:
    """A call of the tenant in scope, else 404; with the rows that there is one of for it."""
    calls = Call.objects.select_related(
        "number", "agent", "revision", "worker", "tenant", "quality", "recording"
    )
    return get_object_or_404(calls.defer("recording__peaks"), public_id=call_id)


def call_view(call: Call, slug: str) -> CallView:
    since = call.answered_at if call.state == CallState.RUNNING else None
    return CallView(
        public_id=str(call.public_id),
        from_text=caller_text(call),
        to_text=called_text(call),
        badge=words.state_badge(call),
        is_running=call.state in RUNNING_STATES,
        since=since.isoformat() if since else "",
        duration_ms=shown_duration_ms(call),
        outcome=words.end_sentence(call),
        outcome_small=_outcome_small(call),
        outcome_tone=_outcome_tone(call),
        facts=_facts(call, slug),
        experts=_expert_facts(call),
        problems=[_problem(trouble) for trouble in problems.of_call(call)],
        turns=turn_bars(Turn.objects.filter(call=call)),
        sound=sound(call),
        recording=recording_view(call, slug),
        log=call_log(call),
    )


def _outcome_tone(call: Call) -> str:
    tone = words.outcome_badge(call).tone
    return {"quiet": "info", "live": "info"}.get(tone, tone)


def _outcome_small(call: Call) -> str:
    """For experts: what the worker said of the end, and the SIP status."""
    status = _("SIP status %(status)d") % {"status": call.sip_status} if call.sip_status else ""
    return " · ".join(part for part in (call.end_detail, status) if part)


def _facts(call: Call, slug: str) -> list[Fact]:
    facts: list[Fact] = [
        (_("Caller"), caller_text(call), ""),
        (_("Called"), called_text(call), ""),
        (_("Agent"), _agent_link(call, slug), ""),
        (_("Language"), setting_words.language_name(call.language) if call.language else DASH, ""),
        (_("Began"), when(call.started_at), ""),
    ]
    if call.ended_at:
        facts.append((_("Ended"), when(call.ended_at), ""))
    if call.account_name:
        facts.append((_("AI provider"), call.account_name, call.model))
    return facts


def _agent_link(call: Call, slug: str) -> Any:
    """To what it answered with: its revision, or the editor where that was the draft."""
    if call.agent is None:
        return DASH
    place: dict[str, Any] = {"slug": slug, "agent_id": call.agent.public_id}
    if call.revision:
        url = reverse("portal:agent_revision", kwargs={**place, "number": call.revision.number})
    else:
        url = reverse("portal:agent", kwargs=place)
    return format_html('<a href="{}">{}</a>', url, agent_text(call))


def _expert_facts(call: Call) -> list[Fact]:
    formats = dict(AudioFormat.choices)
    spoken = _("to it: %(to)s; from it: %(from)s") % {
        "to": formats.get(call.input_format, call.input_format),
        "from": formats.get(call.output_format, call.output_format),
    }
    facts: list[Fact] = [
        (_("Codec on the line"), call.codec, ""),
        (_("Sound at the provider"), spoken if call.input_format else "", ""),
        (
            _("Provider's session"),
            call.session_id,
            _("open after %(time)s") % {"time": milliseconds(call.session_took_ms)}
            if call.session_took_ms is not None
            else "",
        ),
        (_("Tokens"), *_tokens(call.usage)),
        (_("Came from"), call.source, ""),
        (_("SIP Call-ID"), call.sip_call_id, ""),
        (_("Media worker"), call.worker.name if call.worker else "", ""),
    ]
    return [fact for fact in facts if fact[1]]


def _tokens(usage: dict[str, Any]) -> tuple[str, str]:
    """What the provider counted: audio and text in, audio and text out."""
    if not usage.get("responses"):
        return "", ""
    counts = {
        name: number_format(usage.get(f"{name}_tokens", 0), force_grouping=True)
        for name in ("input_audio", "input_text", "output_audio", "output_text")
    }
    text = _("heard %(input_audio)s, spoken %(output_audio)s") % counts
    small = _("text: %(input_text)s in, %(output_text)s out") % counts
    return text, small


def _problem(trouble: Trouble) -> Problem:
    problem = trouble.problem
    said = " · ".join(part for part in (trouble.account, problem.code, problem.message) if part)
    return Problem(
        text=words.problem_sentence(problem.kind),
        small=said,
        offset_ms=problem.offset_ms,
        tone="bad" if problem.fatal else "warn",
    )


_USED_LABELS = {
    "greeting": gettext_lazy("Greeting"),
    "apology": gettext_lazy("Apology"),
}


def used_settings(call: Call) -> list[UsedSetting]:
    """The settings that the call had, with the level that each came from."""
    rows = []
    for name, used in call.settings_used.items():
        label = setting_words.LABELS.get(name) or _USED_LABELS.get(name)
        if label and used:
            text = (
                str(used["value"])
                if name in {"provider_account", *_USED_LABELS}
                else setting_words.describe(name, used["value"])
            )
            rows.append(UsedSetting(label=label, text=text, level=used["level"]))
    return rows


@tenant_page()
def call(request: TenantRequest, call_id: UUID) -> HttpResponse:
    found = find_call(call_id)
    view = call_view(found, request.tenant.slug)
    context = {
        "call": view,
        "timeline": timeline(found),
        "used": used_settings(found),
        "actions": actions(request, found),
        "marks": marks(request, found),
        "cost": call_cost(found),
        "waits": None if found.is_open else waits_chart(view.turns),
    }
    feed = feed_address(request, call=found)
    return render_page(request, "portal/call.html", context, here="calls", feed=feed)
