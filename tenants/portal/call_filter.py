"""What the list of calls is narrowed by, as a form in the page's address."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.forms import BoundField
from django.utils import timezone
from django.utils.translation import gettext_lazy

from tenants.models import Agent, Number, Tag
from tenants.models.choices import CallKind
from tenants.services.calls_list import CallQuery
from tenants.services.search import QUERY_LENGTH

FIRST: Final = ("q", "caller", "outcome")
"""Shown at once; the rest unfolds."""
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 9000
"""Beyond them a time zone's offset may lead out of the calendar."""

OUTCOMES: Final = (
    ("", gettext_lazy("Any outcome")),
    ("running", gettext_lazy("Running now")),
    ("answered", gettext_lazy("Answered")),
    ("transferred", gettext_lazy("Transferred")),
    ("failed", gettext_lazy("With a failure")),
    ("refused", gettext_lazy("Refused")),
)
DURATIONS: Final = (
    ("", gettext_lazy("Any duration")),
    ("0-30", gettext_lazy("Under 30 seconds")),
    ("30-120", gettext_lazy("30 seconds to 2 minutes")),
    ("120-600", gettext_lazy("2 to 10 minutes")),
    ("600-", gettext_lazy("10 minutes and more")),
)
"""In seconds, from and to."""
TOOLS: Final = (
    ("", gettext_lazy("Any tool")),
    ("transfer_call", gettext_lazy("Transfer")),
    ("hang_up", gettext_lazy("Hang up")),
)


class CallFilter(forms.Form):
    """A value that does not exist narrows nothing."""

    q = forms.CharField(
        required=False,
        max_length=QUERY_LENGTH,
        label=gettext_lazy("Words that were said"),
        widget=forms.TextInput(
            {"type": "search", "class": "filter-search", "placeholder": gettext_lazy("Words said")}
        ),
    )
    caller = forms.CharField(
        required=False,
        max_length=100,
        label=gettext_lazy("Caller"),
        widget=forms.TextInput(
            {"type": "search", "placeholder": gettext_lazy("Caller's number or name")}
        ),
    )
    outcome = forms.ChoiceField(choices=OUTCOMES, required=False, label=gettext_lazy("Outcome"))
    since = forms.DateField(
        required=False,
        label=gettext_lazy("First day"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        required=False,
        label=gettext_lazy("Last day"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )
    agent = forms.ModelChoiceField(
        Agent.all_tenants.none(),
        required=False,
        to_field_name="public_id",
        empty_label=gettext_lazy("Any agent"),
        label=gettext_lazy("Agent"),
    )
    number = forms.ModelChoiceField(
        Number.all_tenants.none(),
        required=False,
        to_field_name="public_id",
        empty_label=gettext_lazy("Any number"),
        label=gettext_lazy("Number"),
    )
    duration = forms.ChoiceField(choices=DURATIONS, required=False, label=gettext_lazy("Duration"))
    tool = forms.ChoiceField(choices=TOOLS, required=False, label=gettext_lazy("Tool used"))
    tag = forms.ModelChoiceField(
        Tag.all_tenants.none(),
        required=False,
        to_field_name="name",
        empty_label=gettext_lazy("Any tag"),
        label=gettext_lazy("Tag"),
    )
    kind = forms.ChoiceField(
        choices=(("", gettext_lazy("Any kind")), *CallKind.choices),
        required=False,
        label=gettext_lazy("Kind"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, model in (("agent", Agent), ("number", Number), ("tag", Tag)):
            self.fields[name].queryset = model.objects.all()  # type: ignore[attr-defined]
        self.is_valid()

    @property
    def is_narrowing(self) -> bool:
        return any(self.cleaned_data.values())

    @property
    def first(self) -> list[BoundField]:
        return [self[name] for name in FIRST]

    @property
    def more(self) -> list[BoundField]:
        return [field for field in self if field.name not in FIRST]

    @property
    def is_unfolded(self) -> bool:
        """Something is narrowed by what is folded away at first."""
        return any(self.cleaned_data.get(field.name) for field in self.more)

    def query(self, cursor: str = "") -> CallQuery:
        """What was asked for; `until` names the last day that is in."""
        values = self.cleaned_data
        least, most = _range_ms(values.get("duration", ""))
        return CallQuery(
            since=_midnight(values.get("since")),
            until=_midnight(values.get("until"), days=1),
            agent=values.get("agent"),
            number=values.get("number"),
            caller=values.get("caller", ""),
            outcome=values.get("outcome", ""),
            min_ms=least,
            max_ms=most,
            tool=values.get("tool", ""),
            tag=values.get("tag"),
            kind=values.get("kind", ""),
            text=values.get("q", ""),
            cursor=cursor,
        )


def _midnight(day: date | None, days: int = 0) -> datetime | None:
    """When the day begins where the reader is."""
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        return None
    return timezone.make_aware(datetime.combine(day + timedelta(days=days), time()))


def _range_ms(text: str) -> tuple[int | None, int | None]:
    least, _, most = text.partition("-")
    return (int(least) * 1000 if least else None), (int(most) * 1000 if most else None)
