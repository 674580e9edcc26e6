"""Which keys the sandbox takes, and what it says of others."""

from __future__ import annotations

from typing import Final

from media_worker.sandbox.misbehaviour import Misbehaviour

KEY_PREFIX: Final = "sandbox"


def key_problem(key: str, misbehaviour: Misbehaviour) -> tuple[str, str] | None:
    """Code and message of the refusal; None for a key that is accepted."""
    if not key:
        message = "Missing bearer authentication in header. You didn't provide an API key."
        return "missing_api_key", message
    if key.startswith(KEY_PREFIX) and "refuse_key" not in misbehaviour:
        return None
    shown = f"{key[:4]}***{key[-2:]}" if len(key) > 12 else "***"
    message = f"Incorrect API key provided: {shown}. Keys of this sandbox begin with 'sandbox'."
    return "invalid_api_key", message
