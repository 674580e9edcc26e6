"""German is complete: every message has words, and the compiled file is fresh."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import allauth
import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from tenants.models import User
from tests.portal.addresses import PAGES, url_of

FOLDER = Path(settings.BASE_DIR) / "locale/de/LC_MESSAGES"
ROOT = Path(settings.BASE_DIR)
LITERALS = re.compile(
    r"""(?:gettext|gettext_lazy|_)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)"""
    r"""|{%\s*translate\s+("(?:[^"\\]|\\.)*"|'[^']*')"""
)


DU = re.compile(r"\b(du|dein\w*|dir|dich)\b", re.IGNORECASE)


def entries(
    path: Path = FOLDER / "django.po", *, without: str = "$."
) -> list[tuple[str, list[str]]]:
    """Message and translations of every entry of a .po file, but of places like `without`."""
    found = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        if any(re.search(without, line) for line in re.findall("^#: .*", block, re.MULTILINE)):
            continue
        texts = re.findall(r'^(msgid|msgstr(?:\[\d\])?) ((?:".*"\n?)+)', block, re.MULTILINE)
        joined = [
            (key, "".join(ast.literal_eval(line) for line in text.strip().splitlines()))
            for key, text in texts
        ]
        if joined and joined[0][1]:
            found.append((joined[0][1], [text for key, text in joined if key != "msgid"]))
    return found


def test_every_message_has_german_words() -> None:
    text = (FOLDER / "django.po").read_text(encoding="utf-8")
    assert "fuzzy" not in text
    assert [message for message, german in entries() if not all(german)] == []


def test_placeholders_are_the_same() -> None:
    for message, translations in entries():
        wanted = set(re.findall(r"%\((\w+)\)", message))
        for german in translations:
            assert set(re.findall(r"%\((\w+)\)", german)) == wanted, message


def test_the_compiled_file_says_what_the_source_says() -> None:
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    catalog: dict[Any, str] = compiled._catalog  # type: ignore[attr-defined]
    words = set(catalog.values())
    for message, translations in entries():
        assert set(translations) <= words, message


def test_every_message_of_the_code_is_in_the_catalog() -> None:
    """What makemessages would find, without its tools."""
    known = {message for message, _german in entries()}
    folders = [ROOT / "tenants", ROOT / "pbxai", ROOT / "templates"]
    files = [path for folder in folders for path in folder.rglob("*.[ph][yt]*")]
    missing = []
    for path in files:
        for python, template in LITERALS.findall(path.read_text(encoding="utf-8")):
            message = ast.literal_eval(f"({python})") if python else ast.literal_eval(template)
            if message and message not in known:
                missing.append((path.name, message))
    assert missing == []


def test_the_pages_of_signing_in_say_sie_too() -> None:
    """allauth's own German says Du here and there; locale/allauth says it again."""
    theirs = Path(allauth.__file__).parent / "locale/de/LC_MESSAGES/django.po"
    with translation.override("de"):
        found = entries(theirs, without="idp/|phone|signup")
        said = [translation.gettext(message) for message, _german in found]
    assert len(said) > 200
    assert [text for text in said if DU.search(text)] == []


@pytest.fixture
def german(alice: User, browse: Callable[[User], Client]) -> Client:
    User.objects.filter(pk=alice.pk).update(language="de")
    return browse(alice)


@pytest.mark.parametrize("page", [p for p in PAGES if p.get and p.is_html], ids=lambda p: p.name)
def test_every_page_speaks_german(page: Any, german: Client, things: dict[str, Any]) -> None:
    text = german.get(url_of(page, things), follow=True).content.decode()
    if "<!doctype" in text:  # else a part of a page
        assert '<html lang="de"' in text
        for word in ("Einstellungen", "Nummern", "Agenten", "Anrufe"):
            assert word in text
    for english in (">Settings<", ">Calls<", ">Numbers<", ">Cancel<", ">Save", "Inherited:"):
        assert english not in text
