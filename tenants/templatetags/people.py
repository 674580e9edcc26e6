"""{{ session.user_agent|browser }}: "Firefox · Windows", for people who look who is signed in."""

from __future__ import annotations

from typing import Final

from django import template
from django.utils.translation import gettext as _

register = template.Library()

# Each names those before it as well: the first that is found is meant.
BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)
LONGEST: Final = 60


@register.filter
def browser(user_agent: str) -> str:
    """What a browser says it is, in two words; what is not known, as it was said."""
    found = [
        next(name for mark, name in table if mark in user_agent)
        for table in (BROWSERS, SYSTEMS)
        if any(mark in user_agent for mark, _name in table)
    ]
    return " · ".join(found) or user_agent[:LONGEST] or _("Unknown browser")
