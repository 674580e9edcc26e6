"""Opening hours of a number, as people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from tenants.models import Number, Tenant, User
from tenants.portal.opening_fields import read_dates, read_day
from tests.portal.conftest import address


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("9-12", [["09:00", "12:00"]]),
        ("9:00-12:00, 13.00 - 17:30", [["09:00", "12:00"], ["13:00", "17:30"]]),
        ("8:15\N{EN DASH}24", [["08:15", "24:00"]]),
        ("9 bis 17", [["09:00", "17:00"]]),
    ],
)
def test_a_day_is_read_as_people_write_it(text: str, spans: list[list[str]]):
    assert read_day(text) == spans


@pytest.mark.parametrize("text", ["morning", "9", "9-", "9-12-15"])
def test_what_is_no_span_is_refused(text: str):
    with pytest.raises(ValidationError):
        read_day(text)


def test_days_that_are_closed_are_read_once_and_in_order():
    assert read_dates("2027-01-01\n24.12.2026, 2026-12-24") == ["2026-12-24", "2027-01-01"]


@pytest.fixture
def data(number: Number) -> dict[str, Any]:
    return {"number": "100", "agent": str(number.agent.public_id), "is_active": "on"}


def test_hours_are_stored_shown_and_taken_away_again(
    number: Number, data: dict[str, Any], erin: User, browse: Callable[[User], Client]
):
    url = address("number", number_id=number.public_id)
    hours = {
        "opens": "hours",
        "hours_mon": "9-12, 13-17",
        "hours_sat": "10:30-14",
        "closed_on": "25.12.2026",
        "time_zone": "Europe/Lisbon",
    }
    assert browse(erin).post(url, data | hours).status_code == 302
    number.refresh_from_db()
    assert number.opening_hours == {
        "mon": [["09:00", "12:00"], ["13:00", "17:00"]],
        "sat": [["10:30", "14:00"]],
        "closed": ["2026-12-25"],
    }
    assert number.time_zone == "Europe/Lisbon"
    page = browse(erin).get(url).content.decode()
    assert 'value="09:00-12:00, 13:00-17:00"' in page
    assert '<option value="Europe/Lisbon" selected>' in page
    browse(erin).post(url, data)
    number.refresh_from_db()
    assert (number.opening_hours, number.time_zone) == (None, "")


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("hours_tue", "morning", "is not a span"),
        ("hours_tue", "17-9", "17:00 is not before 09:00"),
        ("hours_tue", "9-12, 11-14", "must not overlap"),
        ("hours_tue", "25-26", "A span has a beginning and an end"),
        ("closed_on", "2026-13-01", "is not a date"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    number: Number,
    data: dict[str, Any],
    erin: User,
    browse: Callable[[User], Client],
    field: str,
    text: str,
    words: str,
):
    url = address("number", number_id=number.public_id)
    answer = browse(erin).post(url, data | {"opens": "hours", field: text})
    assert answer.status_code == 200
    assert words in str(answer.context["form"].errors[field])
    number.refresh_from_db()
    assert number.opening_hours is None


def test_a_number_too_many_is_refused_in_words(
    number: Number, acme: Tenant, data: dict[str, Any], erin: User, browse: Callable[[User], Client]
):
    acme.max_numbers = 1
    acme.save()
    page = browse(erin).post(address("number_new"), data | {"number": "200"}).content.decode()
    assert "Your company may have 1 number." in page


def test_the_list_says_that_a_number_is_closed_now(
    number: Number, victor: User, browse: Callable[[User], Client]
):
    Number.all_tenants.update(opening_hours={})
    assert "closed now" in browse(victor).get(address("numbers")).content.decode()
