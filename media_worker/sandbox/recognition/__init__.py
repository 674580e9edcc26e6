"""What the sandbox understands of a caller: English, by a grammar first and freely after."""

from media_worker.sandbox.recognition.grammar import Grammar, Target, grammar_of
from media_worker.sandbox.recognition.heard import Heard
from media_worker.sandbox.recognition.pool import Recogniser, RecognitionError

__all__ = ["Grammar", "Heard", "Recogniser", "RecognitionError", "Target", "grammar_of"]
