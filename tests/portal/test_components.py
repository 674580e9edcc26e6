"""What components draw: numbers in words, names for readers, nothing that the policy would drop."""

from __future__ import annotations

import re

import pytest

from tenants.templatetags.ui import initials
from tests.portal.gallery import gallery


@pytest.fixture(scope="module")
def page() -> str:
    return str(gallery())


def test_a_meter_says_its_words_and_never_leaves_its_scale(page: str) -> None:
    meters = re.findall(r'<svg [^>]*role="meter"[^>]*aria-valuetext[^>]*>', page)
    said = [re.findall(r'aria-value(?:now|text)="([^"]+)"', meter) for meter in meters]
    assert said == [["24", "12 of 50 USD"], ["92", "46 of 50 USD"], ["100", "70 of 50 USD"]]
    drawn = re.findall(r'<div class="(meter[^"]*)">\s*<div class="meter-words"', page)
    assert drawn == ["meter", "meter meter-near", "meter meter-over"]


def test_a_table_has_a_name_a_head_and_a_foot(page: str) -> None:
    table = page[page.index('aria-label="Calls"') :]
    assert table.index("<th scope") < table.index("Maria Huber") < table.index('id="foot"')


def test_a_drawer_is_a_dialog_with_a_name(page: str) -> None:
    assert '<dialog id="say" class="drawer" aria-labelledby="say-title">' in page
    assert '<h2 id="say-title">Say something</h2>' in page


def test_a_secret_is_said_to_be_shown_once(page: str) -> None:
    assert "shown this once" in page
    assert 'data-copy="pbxt_0123"' in page


def test_support_is_told_until_when(page: str) -> None:
    assert "Acme allows it until 24 November 2026, 09:30" in page


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Maria Huber", "MH"), ("olga@operator.example", "OO"), ("Cher", "C"), ("", "")],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_nothing_is_inline(page: str) -> None:
    assert " style=" not in page
    assert "<style" not in page
