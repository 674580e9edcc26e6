"""What an agent's instructions say about the office, found by plain patterns."""

from __future__ import annotations

import re

_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_HOURS = re.compile(
    r"\b(?:open(?:ing)?|hours)\b.*(?:\d|\b(?:am|pm|o'clock|monday|noon|nine|ten|eight)\b)",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^[\W_]*(?:our\s+)?(?:opening|business|office)?\s*hours(?:\s+are)?\s*[:=-]?\s*", re.IGNORECASE
)
_ADDRESS = re.compile(
    r"\b(?:our address is|address\s*[:=-]|we are located (?:at|in)|located (?:at|in))\s*([^.\n]+)",
    re.IGNORECASE,
)
DEFAULT_HOURS = "We are open Monday to Friday, from nine in the morning to five in the afternoon."


def opening_hours_in(instructions: str) -> str:
    """One sentence to say; made-up office hours where the instructions have none."""
    for sentence in _SENTENCES.split(instructions):
        if _HOURS.search(sentence):
            label = _LABEL.match(sentence)
            if label and label.end():
                return f"Our opening hours are {sentence[label.end() :].strip(' .')}."
            return sentence.strip(" -*#.") + "."
    return DEFAULT_HOURS


def address_in(instructions: str) -> str:
    found = _ADDRESS.search(instructions)
    if found is None:
        return "I am sorry, I was not told our address."
    return f"Our address is {found.group(1).strip()}."
