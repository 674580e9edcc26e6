"""What callers and agents say in made-up calls: words as frequent as in speech (Zipf's law)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

VOCABULARY: Final = 20_000
SENTENCES: Final = 50_000
COMMON: Final = "und"
"""The most frequent word: in nearly every call."""
RARE: Final = "brandmeldeanlage"
"""In one sentence of SENTENCES."""
_SYLLABLES: Final = [first + second for first in "bdfghklmnprstvwz" for second in "aeiou"]


@dataclass(frozen=True)
class Sentence:
    text: str
    folded: str


def sentences(seed: int) -> list[Sentence]:
    """SENTENCES of 3 to 14 words, and what the search's index holds of each."""
    chance = random.Random(seed)
    words = _words(chance)
    weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    made = []
    for number in range(SENTENCES):
        chosen = chance.choices(words, cum_weights=weights, k=chance.randint(3, 14))
        if number == 0:
            chosen.append(RARE)
        folded = " ".join(chosen)
        made.append(Sentence(folded.capitalize() + ".", folded))
    return made


def _words(chance: random.Random) -> list[str]:
    """The most frequent one first; plain letters, so that folding changes nothing."""
    found = {COMMON: None}
    while len(found) < VOCABULARY:
        found["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4)))] = None
    return list(found)
