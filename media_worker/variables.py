"""What `{{ name }}` in a call's texts stands for, as far as only the worker knows it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from media_worker.contract import AdmissionRequest, CallPlan, Greeting, fill

TIME_ZONE: Final = "time_zone"
_WEEKDAYS: Final = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
}
_MONTHS: Final = {
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ),
    "de": (
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
        "Oktober", "November", "Dezember",
    ),
}  # fmt: skip


def filled(
    plan: CallPlan, request: AdmissionRequest | None = None, now: datetime | None = None
) -> CallPlan:
    """The plan with its texts filled in for this call, of which `request` is the INVITE.

    `now` with its zone; the moment itself without one. A prompt that was rendered of a text with
    variables is of no use: the provider says that text.
    """
    values = _values(plan, request, now)
    settings = plan.settings
    instructions = fill(settings.instructions, values)
    return msgspec.structs.replace(
        plan,
        settings=msgspec.structs.replace(settings, instructions=instructions),
        greeting=_filled(plan.greeting, values),
        consent=_filled(plan.consent, values),
        apology=_filled(plan.apology, values) or plan.apology,
        prompts=tuple(one for one in plan.prompts if fill(one.text, values) == one.text),
    )


def _filled(words: Greeting | None, values: dict[str, str]) -> Greeting | None:
    if words is None:
        return None
    return msgspec.structs.replace(words, text=fill(words.text, values))


def _values(
    plan: CallPlan, request: AdmissionRequest | None, now: datetime | None
) -> dict[str, str]:
    values = dict(plan.variables)
    zone = values.pop(TIME_ZONE, "UTC")
    moment = now or datetime.now(_zone(zone))
    if request is not None:
        values |= {
            "caller": request.calling,
            "caller_name": request.calling_name,
            "called": request.called,
        }
    return values | _moment(moment, plan.language)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # this machine has no such zone
        return ZoneInfo("UTC")


def _moment(now: datetime, language: str) -> dict[str, str]:
    """Date, time and weekday as they are said in `language`; in English where we do not speak it.

    The same as `tenants.services.variables` shows on the pages.
    """
    main = language.partition("-")[0].lower()
    spoken = main if main in _WEEKDAYS else "en"
    month = _MONTHS[spoken][now.month - 1]
    is_german = spoken == "de"
    return {
        "date": f"{now.day}. {month} {now.year}" if is_german else f"{month} {now.day}, {now.year}",
        "time": now.strftime("%H:%M"),
        "weekday": _WEEKDAYS[spoken][now.weekday()],
    }
