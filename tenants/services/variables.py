"""What `{{ name }}` in a prompt or a greeting stands for.

The worker fills texts in when a call comes (contract.fill); here are the values that it does not
know itself, and those of a made-up caller, with which pages show a text.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import formats, timezone, translation
from django.utils.dates import WEEKDAYS as WEEKDAY_NAMES
from django.utils.translation import get_language_info
from django.utils.translation import gettext as _

from media_worker import contract
from tenants.models import Agent, Call, Number, Tenant
from tenants.models.opening_hours import CLOSED, WEEKDAYS

SAMPLE_NUMBER: Final = "+4930555010"
DAYS_SHOWN: Final = 3
"""Of the dates on which a number is closed: a value has at most contract.VALUE_LIMIT characters."""


def of_call(call: Call) -> dict[str, str]:
    """The values of an admitted call that go with its plan."""
    if call.tenant is None or call.agent is None:
        return {}
    number = call.number or _first_number(call.agent)
    name = call.revision.name if call.revision else call.agent.name
    with _speaking(call.language):
        values = _known(call.tenant, name, call.language, number)
        if call.kind != contract.CallKind.PHONE:
            values |= _caller(call.calling, call.calling_name, number)
    return values


def sample(agent: Agent, language: str) -> dict[str, str]:
    """Every variable's value for a made-up caller who calls now."""
    number = _first_number(agent)
    with _speaking(language):
        values = _known(agent.tenant, agent.name, language, number)
        values |= _caller(SAMPLE_NUMBER, "Maria Huber", number)
        values |= _moment(timezone.now().astimezone(ZoneInfo(values.pop("time_zone"))))
    return values


def named_in(text: str) -> list[str]:
    """The names that a text uses, each once, in its order."""
    return list(dict.fromkeys(contract.VARIABLE.findall(text)))


def unknown_in(texts: Iterable[str]) -> list[str]:
    """The names that the texts use and nobody fills in: a caller would hear the braces."""
    names = dict.fromkeys(name for text in texts for name in named_in(text))
    return [name for name in names if name not in contract.VARIABLES]


def opening_hours(hours: dict[str, Any] | None, today: datetime) -> str:
    """When a number is open, in one line of the language that holds now."""
    if hours is None:
        return _("around the clock")
    spans = [_day(hours.get(day, [])) for day in WEEKDAYS]
    parts = [
        f"{_days(first, last)} {spans[first]}" for first, last in _alike(spans) if spans[first]
    ]
    closed = [day for day in sorted(hours.get(CLOSED, [])) if day >= today.date().isoformat()]
    if closed:
        parts.append(_("closed on %(days)s") % {"days": ", ".join(closed[:DAYS_SHOWN])})
    return "; ".join(parts) or _("closed")


def _first_number(agent: Agent) -> Number | None:
    return Number.all_tenants.filter(agent=agent).order_by("pk").first()


def _speaking(language: str) -> AbstractContextManager[None]:
    """Values are said on the call, in its language as far as we speak it."""
    main = language.partition("-")[0]
    known = main if main in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    return translation.override(known)


def _known(tenant: Tenant, agent: str, language: str, number: Number | None) -> dict[str, str]:
    zone = (number.time_zone if number else "") or tenant.time_zone
    hours = number.opening_hours if number else None
    return {
        "agent": agent,
        "tenant": tenant.name,
        "language": _language(language),
        "opening_hours": opening_hours(hours, timezone.now().astimezone(ZoneInfo(zone))),
        "time_zone": zone,
    }


def _caller(calling: str, name: str, number: Number | None) -> dict[str, str]:
    return {
        "caller": calling,
        "caller_name": name,
        "called": number.number if number else "",
    }


def _moment(now: datetime) -> dict[str, str]:
    return {
        "date": formats.date_format(now, "DATE_FORMAT"),
        "time": now.strftime("%H:%M"),
        "weekday": str(WEEKDAY_NAMES[now.weekday()]),
    }


def _language(code: str) -> str:
    try:
        return str(_(get_language_info(code)["name"].replace("Bokmal", "Bokmål")))
    except KeyError:
        return code


def _day(spans: list[list[str]]) -> str:
    return ", ".join(f"{begin}-{end}" for begin, end in spans)


def _alike(spans: list[str]) -> list[tuple[int, int]]:
    """First and last of each run of weekdays that are open at the same times."""
    runs: list[tuple[int, int]] = []
    for day, text in enumerate(spans):
        if runs and spans[runs[-1][0]] == text:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _days(first: int, last: int) -> str:
    if first == last:
        return str(WEEKDAY_NAMES[first])
    days = {"first": WEEKDAY_NAMES[first], "last": WEEKDAY_NAMES[last]}
    return _("%(first)s to %(last)s") % days
