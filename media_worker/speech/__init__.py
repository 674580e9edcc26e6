"""Synthetic speech: the sandbox's voice, a worker's apology, the callers of the tests.

English is spoken by hibari (the model is in its wheel), every other language by espeak-ng. A
language is a BCP 47 tag; where the whole tag has no voice its first subtag decides ("de-AT" ->
"de"). One that neither speaks is a `SpeechError`: nothing is ever spoken in a wrong language.
"""

from media_worker.speech.cache import render_cached
from media_worker.speech.voices import SpeechError, render

__all__ = ["SpeechError", "render", "render_cached"]
