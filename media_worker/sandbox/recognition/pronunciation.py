"""Pronunciations of names that the recogniser's dictionary does not have.

hibari's grapheme-to-phoneme rules (misaki alphabet, see its README) give the sounds; the table
below writes them in the phones of the CMU dictionary, which pocketsphinx's model was trained with.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cache
from typing import Final

from hibari.g2p import G2P

_ONE_PHONE_A_SOUND: Final = (
    "A:EY I:AY O:OW W:AW Y:OY æ:AE ɑ:AA a:AA ɛ:EH ɪ:IH i:IY u:UW ʊ:UH ʌ:AH ə:AH ᵊ:AH ᵻ:IH ɔ:AO ɜ:ER"  # noqa: RUF001
    " e:EH o:OW b:B d:D f:F ɡ:G g:G h:HH j:Y k:K l:L m:M n:N ŋ:NG p:P ɹ:R s:S ʃ:SH t:T T:T ɾ:T v:V"  # noqa: RUF001
    " w:W z:Z ʒ:ZH ð:DH θ:TH ʤ:JH ʧ:CH x:K"
)
_PHONES: Final = dict(pair.split(":") for pair in _ONE_PHONE_A_SOUND.split())
_ORDINALS: Final = {"1st": "first", "2nd": "second", "3rd": "third", "4th": "fourth"}
_TITLES: Final = {"dr": "doctor", "mr": "mister", "mrs": "missus", "prof": "professor"}
_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_lock = threading.Lock()


@cache
def _rules() -> G2P:
    return G2P()


def plain_words(text: str) -> list[str]:
    """Lower-case words of letters only: "1st: Müller & Söhne" -> first muller sohne."""
    folded = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    ascii_only = folded.encode("ascii", "ignore").decode().lower()
    for ordinal, word in _ORDINALS.items():
        ascii_only = re.sub(rf"\b{ordinal}(?![a-z0-9])", word, ascii_only)
    ascii_only = re.sub(r"\d", lambda digit: f" {_DIGITS[int(digit.group())]} ", ascii_only)
    letters = (c if c.isalpha() or c == "'" else " " for c in ascii_only)
    words = (word.strip("'") for word in "".join(letters).split())
    return [_TITLES.get(word, word) for word in words if word]


@cache
def pronounce(word: str) -> str:
    """Phones of one word of `plain_words`, separated by spaces; spelled where no rule says it."""
    with _lock:
        sounds = _rules()(word)
    phones: list[str] = []
    for sound in sounds or "":
        phone = _PHONES.get(sound)
        if phone == "R" and phones and phones[-1] == "ER":
            continue  # "ɜɹ" is one phone there
        if phone:
            phones.append(phone)
    if not phones and len(word) > 1:
        return " ".join(pronounce(letter) for letter in word)
    return " ".join(phones) or "AH"
