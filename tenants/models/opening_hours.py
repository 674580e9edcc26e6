"""When a number is open: `{"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "closed": [...]}`.

A weekday that is not there is closed; times are those of the number's time zone, from inclusive, to
exclusive, "24:00" is the end of the day. `closed` lists dates on which the number is closed.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of `datetime.weekday()`."""
CLOSED: Final = "closed"
TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
SPANS_LIMIT: Final = 10
"""A day."""
CLOSED_LIMIT: Final = 400


def is_open(hours: dict[str, Any] | None, moment: datetime) -> bool:
    """Whether it is open at a moment, which is in the number's time zone. None: always."""
    if hours is None:
        return True
    if moment.date().isoformat() in hours.get(CLOSED, []):
        return False
    now = f"{moment:%H:%M}"
    # "HH:MM" sorts as time does, and "24:00" behind all of it.
    return any(begin <= now < end for begin, end in hours.get(WEEKDAYS[moment.weekday()], []))


def validate_opening_hours(value: Any) -> None:
    """Spans of a day are in order and do not overlap."""
    if not isinstance(value, dict) or not set(value) <= {*WEEKDAYS, CLOSED}:
        raise ValidationError(_("Opening hours are given by weekday."))
    for weekday in WEEKDAYS:
        _validate_day(value.get(weekday, []))
    _validate_closed(value.get(CLOSED, []))


def _validate_day(spans: Any) -> None:
    if not isinstance(spans, list) or len(spans) > SPANS_LIMIT:
        raise ValidationError(
            _("A day has at most %(limit)d spans."), params={"limit": SPANS_LIMIT}
        )
    before = ""
    for span in spans:
        if (
            not isinstance(span, list)
            or len(span) != 2
            or not all(isinstance(time, str) and TIME.fullmatch(time) for time in span)
        ):
            raise ValidationError(_("A span has a beginning and an end, such as 09:00 and 17:00."))
        begin, end = span
        # "HH:MM" sorts as time does.
        if not begin < end:
            raise ValidationError(
                _("%(begin)s is not before %(end)s."), params={"begin": begin, "end": end}
            )
        if begin < before:
            raise ValidationError(_("The spans of a day must be in order and must not overlap."))
        before = end


def _validate_closed(days: Any) -> None:
    if not isinstance(days, list) or len(days) > CLOSED_LIMIT:
        raise ValidationError(
            _("Give at most %(limit)d days on which it is closed."), params={"limit": CLOSED_LIMIT}
        )
    for day in days:
        try:
            good = isinstance(day, str) and date.fromisoformat(day).isoformat() == day
        except ValueError:
            good = False
        if not good:
            raise ValidationError(
                _("“%(value)s” is not a date such as 2026-12-25."), params={"value": day}
            )
