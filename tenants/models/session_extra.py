"""Further fields of a provider's session, given raw: what may be among them.

Fields that a setting, the call or the worker decides are not, nor anything that holds a secret.
The fields are those of REALTIME.md section 1.2; the beta shape knows two of them.
"""

from __future__ import annotations

import json
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

BYTES_LIMIT: Final = 8 * 1024
DEPTH_LIMIT: Final = 6

KNOWN: Final[dict[str, tuple[type, ...]]] = {
    "include": (list,),
    "parallel_tool_calls": (bool,),
    "reasoning": (dict,),
    "tool_choice": (str, dict),
    "tracing": (str, dict),
    "truncation": (str, dict),
}
"""Field and the JSON types that the GA shape takes for it."""
BETA: Final = frozenset({"tool_choice", "tracing"})
"""Those that the beta shape knows too."""


def validate_session_extra(value: Any) -> None:
    """An object of at most 8 kB with fields out of KNOWN."""
    if not isinstance(value, dict):
        raise ValidationError(_("Give the fields as a JSON object."))
    if _depth(value) > DEPTH_LIMIT:
        raise ValidationError(_("The object is nested too deeply."))
    text = json.dumps(value)
    if "\\u0000" in text:
        raise ValidationError(_("The object holds a character that cannot be stored."))
    if len(text) > BYTES_LIMIT:
        raise ValidationError(
            _("The object is longer than %(limit)d bytes."), params={"limit": BYTES_LIMIT}
        )
    for name, content in value.items():
        if name not in KNOWN:
            raise ValidationError(
                _("“%(name)s” cannot be given here. These can: %(known)s."),
                params={"name": name, "known": ", ".join(sorted(KNOWN))},
            )
        if not isinstance(content, KNOWN[name]):
            raise ValidationError(
                _("“%(name)s” has a value of the wrong kind."), params={"name": name}
            )


def _depth(value: Any) -> int:
    """Nesting, without recursion: the value comes from outside."""
    deepest, level = 0, [value]
    while level and deepest <= DEPTH_LIMIT:
        deepest += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return deepest
