"""How unlike two sequences of phones sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_VOWELS: Final = frozenset(
    ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
)


def unlikeness(one: Sequence[str], other: Sequence[str]) -> float:
    """Edit distance a phone of the longer one: 0 the same, 1 nothing in common.

    A vowel for a vowel or a consonant for a consonant is half an error: the telephone blurs them.
    """
    if not one or not other:
        return 1.0
    row = [float(place) for place in range(len(other) + 1)]
    for place, phone in enumerate(one, 1):
        above, row = row, [float(place)]
        for column, against in enumerate(other, 1):
            change = above[column - 1] + _difference(phone, against)
            row.append(min(above[column] + 1, row[column - 1] + 1, change))
    return row[-1] / max(len(one), len(other))


def _difference(one: str, other: str) -> float:
    if one == other:
        return 0.0
    return 0.5 if (one in _VOWELS) == (other in _VOWELS) else 1.0
