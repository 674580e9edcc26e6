"""What holds for every page: a strict content policy, labels, ids, vendored files, components."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, RequestFactory
from django.views.defaults import server_error

from tenants.models import User
from tests.portal.addresses import PAGES, url_of

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


class Reader(HTMLParser):
    """Collects what the checks below look at."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.problems: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str]] = []
        self.in_template = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.in_template += tag == "template"
        if self.in_template:
            return
        if "id" in values:
            self.ids.append(values["id"])
        if "style" in values or any(name.startswith("on") for name in values):
            self.problems.append(f"inline style or handler: <{tag} {attrs}>")
        if tag == "script" and "src" not in values:
            self.problems.append("inline script")
        if tag == "style":
            self.problems.append("inline style sheet")
        if tag == "img" and "alt" not in values:
            self.problems.append("image without alt")
        if tag == "label":
            self.labelled.add(values.get("for", ""))
        if tag in {"input", "select", "textarea"} and values.get("type") != "hidden":
            self.fields.append(values)

    def handle_endtag(self, tag: str) -> None:
        self.in_template -= tag == "template"


@pytest.mark.parametrize("page", [p for p in PAGES if p.get and p.is_html], ids=lambda p: p.name)
def test_markup_of_every_page(
    page: Any, things: dict[str, Any], alice: User, browse: Callable[[User], Client]
) -> None:
    answer = browse(alice).get(url_of(page, things), follow=True)
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    reader = Reader()
    reader.feed(answer.content.decode())
    assert not reader.problems
    assert len(reader.ids) == len(set(reader.ids)), "an id is there twice"
    for field in reader.fields:
        assert field.get("id") in reader.labelled or field.get("aria-label"), field


@pytest.mark.parametrize("name", ["tabler-core-1.6.1", "uplot-1.6.32"])
def test_files_of_others_are_the_ones_that_were_vendored(name: str) -> None:
    files = [
        path for path in (ROOT / "static/vendor" / name).iterdir() if path.suffix in {".css", ".js"}
    ]
    assert files
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest in (ROOT / "static/vendor/VENDOR.md").read_text(), path


def test_every_icon_is_used_and_every_icon_used_is_there() -> None:
    there = {path.stem for path in (ROOT / "templates/icons").glob("*.svg")}
    text = "\n".join(path.read_text() for path in TEMPLATES)
    used = set(re.findall(r'{% icon "([a-z0-9-]+)"', text))
    used |= set(re.findall(r'component "empty" icon="([a-z0-9-]+)"', text))
    python = "\n".join(path.read_text() for path in (ROOT / "tenants").rglob("*.py"))
    named_in_code = {name for name in there if f'"{name}"' in python}
    assert used <= there
    assert used | named_in_code == there


def test_every_component_says_how_it_is_used_and_is_used() -> None:
    gallery = ROOT / "tests/portal/gallery.html"
    text = "\n".join(path.read_text() for path in [*TEMPLATES, gallery])
    python = "\n".join(path.read_text() for path in (ROOT / "tenants").rglob("*.py"))
    for path in sorted((ROOT / "templates/components").glob("*.html")):
        body = path.read_text()
        assert body.startswith("{% comment %}"), path.name
        others = text.replace(body, "")
        used = (
            f"components/{path.name}" in others
            or f'{{% component "{path.stem}"' in others
            or f"components/{path.name}" in python
            or f'"{path.stem}"' in python
        )
        assert used, path.name


def test_nothing_is_loaded_from_elsewhere() -> None:
    files = [*TEMPLATES, *(ROOT / "static/css").glob("*.css"), *(ROOT / "static/js").glob("*.js")]
    for path in files:
        for found in re.findall(r"https?://[^\s\"')]+", path.read_text()):
            assert found.startswith("http://www.w3.org/"), f"{path.name}: {found}"


def test_the_page_after_a_fault_needs_nothing() -> None:
    answer = server_error(RequestFactory().get("/"))
    assert "Something went wrong here" in answer.content.decode()
