"""What the documents point at is there, and every picture is shown somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from django.conf import settings

ROOT: Final = Path(settings.BASE_DIR)
PAGES: Final = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
LINKS: Final = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def links() -> set[tuple[str, Path]]:
    """The page that has it, and the file that each link of ours leads to."""
    found = set()
    for page in PAGES:
        for link in LINKS.findall(page.read_text(encoding="utf-8")):
            if not link.startswith(("http:", "https:", "mailto:")):
                found.add((page.name, (page.parent / link).resolve()))
    return found


def test_every_link_leads_to_a_file() -> None:
    assert [link for link in links() if not link[1].exists()] == []


def test_every_picture_is_shown() -> None:
    shown = {path for _page, path in links()}
    pictures = [path for kind in ("png", "svg") for path in ROOT.glob(f"docs/**/*.{kind}")]
    assert [path.name for path in pictures if path not in shown] == []


def test_the_readme_leads_to_every_document() -> None:
    named = {path for page, path in links() if page == "README.md"}
    assert [path.name for path in ROOT.glob("docs/*.md") if path not in named] == []
