"""What stands around every page of both doors; templates/frame.html draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.utils.functional import Promise

from tenants.models import User

THEME_COOKIE: Final = "pbxai_theme"
THEMES: Final = ("light", "dark")


@dataclass(frozen=True)
class RailEntry:
    """One line of a rail: the page it leads to, its icon, its word."""

    page: str
    icon: str
    label: str | Promise


@dataclass(frozen=True)
class RailItem:
    url: str
    icon: str
    label: str | Promise
    here: bool


@dataclass(frozen=True)
class MenuLink:
    """A line of the person's menu."""

    url: str
    icon: str
    label: str | Promise


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Context of templates/frame.html. `feed`: the page's socket; "" for a page that has none."""

    person: User
    role: str | Promise
    items: tuple[RailItem, ...]
    links: tuple[MenuLink, ...] = ()
    running: int
    home: str
    live: str
    feed: str = ""
    theme: str

    @property
    def languages(self) -> tuple[tuple[str, str, str], ...]:
        """Code, what the button shows, name."""
        return tuple((code, code.upper(), str(name)) for code, name in settings.LANGUAGES)

    @property
    def person_name(self) -> str:
        return self.person.get_full_name()

    @property
    def initials(self) -> str:
        return initials(self.person_name)


def initials(name: str) -> str:
    """First letters of the first two words, of a mail address those around the @."""
    parts = name.replace("@", " ").split()
    return "".join(part[0] for part in parts[:2]).upper()
