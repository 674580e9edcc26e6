"""Opening hours as people write them: "9:00-12:00, 13:00-17:30" for a day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.utils.dates import WEEKDAYS as WEEKDAY_NAMES
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import Number
from tenants.models.opening_hours import CLOSED, WEEKDAYS, validate_opening_hours
from tenants.models.validators import time_zones

TIME: Final = r"(\d{1,2})(?:[:.](\d{2}))?"
SPAN: Final = re.compile(rf"{TIME}\s*(?:-|–|—|to|bis)\s*{TIME}")  # noqa: RUF001 - as people write
GERMAN_DATE: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
USUAL: Final = "09:00-17:00"
"""What a weekday begins with when a number gets hours for the first time."""


def read_day(text: str) -> list[list[str]]:
    """Spans out of what somebody wrote. Raises ValidationError."""
    spans = []
    for part in re.split(r"[,;\n]", text):
        if not part.strip():
            continue
        found = SPAN.fullmatch(part.strip())
        if found is None:
            raise ValidationError(
                _("“%(text)s” is not a span such as 9:00-17:30."), params={"text": part.strip()}
            )
        hour, minute, last_hour, last_minute = found.groups(default="00")
        spans.append([f"{int(hour):02}:{minute}", f"{int(last_hour):02}:{last_minute}"])
    return spans


def write_day(spans: Sequence[Sequence[str]]) -> str:
    return ", ".join(f"{begin}-{end}" for begin, end in spans)


def read_dates(text: str) -> list[str]:
    """ISO dates, in order, each once; 24.12.2026 is one too."""
    dates = {_iso(part) for part in re.split(r"[,;\s]+", text) if part}
    return sorted(dates)


def _iso(text: str) -> str:
    german = GERMAN_DATE.fullmatch(text)
    if german:
        day, month, year = (int(part) for part in german.groups())
        try:
            return date(year, month, day).isoformat()
        except ValueError:
            return text
    return text


def zones(chosen: str) -> list[str]:
    """Time zones by place, and the one that is chosen."""
    places = {zone for zone in time_zones() if "/" in zone and not zone.startswith("Etc/")}
    return sorted(places | ({chosen} if chosen else set()))


class OpeningHoursForm(forms.ModelForm):  # type: ignore[type-arg]
    """The part of a number's form that says when it is open."""

    opens = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Open"),
        choices=[("", gettext_lazy("Always")), ("hours", gettext_lazy("At these times"))],
    )
    closed_on = forms.CharField(
        required=False,
        label=gettext_lazy("Closed on these days"),
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Dates such as 2026-12-25, one a line: holidays and the like."),
    )
    time_zone = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("The clock that the opening hours go by."),
    )

    def offer_hours(self, number: Number) -> None:
        """Make the fields of the days, with what the number has."""
        hours = number.opening_hours
        self.initial["opens"] = "" if hours is None else "hours"
        self.initial["closed_on"] = "\n".join((hours or {}).get(CLOSED, []))
        for place, weekday in enumerate(WEEKDAYS):
            usual = [USUAL.split("-")] if place < 5 else []
            spans = usual if hours is None else hours.get(weekday, [])
            self.fields[f"hours_{weekday}"] = forms.CharField(
                required=False, label=WEEKDAY_NAMES[place], max_length=200
            )
            self.initial[f"hours_{weekday}"] = write_day(spans)
        own = _("The company's own: %(zone)s") % {"zone": number.tenant.time_zone}
        zone: Any = self.fields["time_zone"]
        zone.choices = [("", own), *((name, name) for name in zones(number.time_zone))]

    def hours_fields(self) -> list[BoundField]:
        return [self[f"hours_{weekday}"] for weekday in WEEKDAYS]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        self.instance.opening_hours = None
        if given.get("opens") == "hours":
            self.instance.opening_hours = self._hours(given)
        return given

    def _hours(self, given: dict[str, Any]) -> dict[str, Any]:
        """The hours as they are stored; what is wrong stands at its field."""
        hours: dict[str, Any] = {}
        for weekday in WEEKDAYS:
            name = f"hours_{weekday}"
            try:
                spans = read_day(given.get(name, ""))
                validate_opening_hours({weekday: spans})
            except ValidationError as error:
                self.add_error(name, error)
            else:
                hours |= {weekday: spans} if spans else {}
        try:
            closed = read_dates(given.get("closed_on", ""))
            validate_opening_hours({CLOSED: closed})
        except ValidationError as error:
            self.add_error("closed_on", error)
        else:
            hours |= {CLOSED: closed} if closed else {}
        return hours
