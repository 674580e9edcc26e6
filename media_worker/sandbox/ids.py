"""Ids as the real API makes them: a prefix and 21 letters or digits."""

from __future__ import annotations

import secrets
import string

_LETTERS = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """`item_...`, `resp_...`; at most 32 characters."""
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(21))}"
