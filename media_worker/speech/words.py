"""What can be asked to be spoken, and the room's one error."""

from __future__ import annotations

MAX_CHARACTERS = 5000
"""About five minutes of speech; longer texts are a mistake of the caller of this room."""


class SpeechError(Exception):
    """These words cannot be spoken; the message says why in plain words."""


def check_words(text: str) -> None:
    if not any(character.isalnum() for character in text):
        raise SpeechError("There are no words to speak.")
    if len(text) > MAX_CHARACTERS:
        raise SpeechError(f"The text has {len(text)} characters; {MAX_CHARACTERS} can be spoken.")
