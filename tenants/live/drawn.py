"""What was said, drawn once for everybody who watches: all see the same words in a language.

A notice of an entry carries what was said and a stamp of its own, and the picture is kept by stamp
and language. It is the same picture as the page's own, from the same template.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from tenants.live import parts
from tenants.models import TranscriptEntry
from tenants.portal.timeline import element_id, entry_item, is_shown
from tenants.services.live import EntryChanged

KEPT: Final = 1024
"""Pictures: of each entry the last few states, while the feeds send them."""
_drawn: OrderedDict[tuple[str, str], parts.Part | None] = OrderedDict()
_lock: Final = Lock()


def entry(said: EntryChanged, language: str) -> parts.Part | None:
    """An entry in the language that is active now; None when nothing was said after all."""
    key = (said["stamp"], language)
    with _lock:
        if key in _drawn:
            return _drawn[key]
    part = _draw(said)
    with _lock:
        _drawn[key] = part
        while len(_drawn) > KEPT:
            _drawn.popitem(last=False)
    return part


def element_of(said: EntryChanged) -> str:
    """Its id on the page."""
    return element_id("entry", said["item_id"])


def _draw(said: EntryChanged) -> parts.Part | None:
    row = TranscriptEntry(item_id=said["item_id"], **said["said"])
    return parts.item_part(entry_item(row)) if is_shown(row) else None
