"""Speech to English words with pocketsphinx, in the child process that `pool` starts.

The grammar of the session knows what callers say and is right nearly every time they say it, but it
forces everything else into one of its sentences; the free language model mishears telephone speech
but is never absurd. So the grammar's words are taken when its score and their likeness in sound to
the free model's words are good together; for very short utterances, which the free model hardly
ever gets, when the score of a small grammar is good.

Measured on 46 sentences of the grammar and 20 others, spoken by hibari through G.711: sentences of
the grammar came to -18 to -69 (score less 110 times the unlikeness), others to -78 and below.
Telephone speech has nothing above 4 kHz, where the model looks for fricatives: the grammar hears it
with a faint mirror image there (2 errors in 46 instead of 5), the free model without (21 % wrong
words instead of 29 %). The cepstral means are fixed ones of telephone speech: one "hello" is too
short to take a channel's mean from.
"""

from __future__ import annotations

import math
import tempfile
from collections import OrderedDict
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray
from pocketsphinx import Decoder, get_model_path

from media_worker.sandbox.recognition.grammar import Grammar
from media_worker.sandbox.recognition.heard import Heard
from media_worker.sandbox.recognition.likeness import unlikeness
from media_worker.sandbox.recognition.phrases import SHORT_JSGF

Samples = NDArray[np.float32]

RATE: Final = 8000
"""Everything is heard as a telephone hears it."""
MODEL_RATE: Final = 16000
MIRROR: Final = 0.1
FREE: Final = "free"
SHORT: Final = "short"
GRAMMAR_WORD_BEAM: Final = 1e-35
"""The default of 7e-29 loses "what are your opening hours" at its first word."""
KEPT_GRAMMARS: Final = 8

GOOD_TOGETHER: Final = -74.0
UNLIKENESS_WEIGHT: Final = 110.0
SHORT_MS: Final = 750
SHORT_SCORE: Final = -50.0

MEANS_MIRRORED: Final = (
    "53.6857,13.0676,-14.1288,11.5366,-1.07131,-16.5685,19.3149,-8.97969,14.6947,-6.47301,"
    "-3.97164,10.7361,-9.64083"
)
MEANS_PLAIN: Final = (
    "48.1082,32.4599,-40.3106,39.2454,-23.1506,-4.06637,16.8983,-14.3249,23.4201,-14.802,"
    "0.892347,10.5418,-13.5454"
)
LEAST_LEVEL: Final = 30.0
"""RMS of a frame that can be speech, of 32768."""
_FRAME: Final = RATE // 100
_EDGE_MS: Final = 150
_SILENCES: Final = "<s> SIL\n</s> SIL\n<sil> SIL\n"
"""Without the noise words of the model, which swallow whole sentences in a grammar."""


class EnglishDecoder:
    """One at a time in a process; about 150 MB."""

    def __init__(self) -> None:
        # a beam is a decoder's, not a search's: the grammar needs a wider one
        self._strict = _decoder(wbeam=GRAMMAR_WORD_BEAM)
        self._free = _decoder()
        self._free.add_lm_file(FREE, get_model_path("en-us/en-us.lm.bin"))
        self._strict.add_jsgf_string(SHORT, SHORT_JSGF)
        self._grammars: OrderedDict[str, None] = OrderedDict()

    def hear(self, pcm: bytes, grammar: Grammar) -> Heard:
        """English words in PCM16 mono at 8 kHz."""
        samples = _trimmed(np.frombuffer(pcm, "<i2").astype(np.float32))
        if not samples.size:
            return Heard("", sure=False)
        words, score = self._by_grammar(samples, self._named(grammar))
        free, _ = _decode(self._free, FREE, _wide(samples, 0.0), MEANS_PLAIN)
        if words and self._is_close(words, score, free):
            return Heard(words, sure=True)
        if samples.size < RATE * (SHORT_MS + 2 * _EDGE_MS) // 1000:
            words, score = self._by_grammar(samples, SHORT)
            if words and score >= SHORT_SCORE:
                return Heard(words, sure=True)
        return Heard(free, sure=False)

    def _is_close(self, words: str, score: float, free: str) -> bool:
        difference = unlikeness(self._phones(words), self._phones(free))
        return score - UNLIKENESS_WEIGHT * difference >= GOOD_TOGETHER

    def _by_grammar(self, samples: Samples, name: str) -> tuple[str, float]:
        """Words and score a frame; no words where they are not a whole sentence of the grammar."""
        words, score = _decode(self._strict, name, _wide(samples, MIRROR), MEANS_MIRRORED)
        # a beam that ran dry gives the beginning of a sentence
        is_whole = words and self._strict.get_fsg(name).accept(words)
        return (words, score) if is_whole else ("", -math.inf)

    def _named(self, grammar: Grammar) -> str:
        """The search's name; made with the first utterance, the least used is forgotten."""
        key = grammar.key
        if key in self._grammars:
            self._grammars.move_to_end(key)
            return key
        while len(self._grammars) >= KEPT_GRAMMARS:
            oldest, _ = self._grammars.popitem(last=False)
            self._strict.activate_search(SHORT)
            self._strict.remove_search(oldest)
        for word, phones in grammar.pronunciations.items():
            if self._strict.lookup_word(word) is None:
                self._strict.add_word(word, phones, update=True)
        self._strict.add_jsgf_string(key, grammar.jsgf)
        self._grammars[key] = None
        return key

    def _phones(self, words: str) -> list[str]:
        phones: list[str] = []
        for word in words.split():
            phones += (self._strict.lookup_word(word) or "").split()
        return phones


def _decoder(**parameters: Any) -> Decoder:
    with tempfile.NamedTemporaryFile("w", suffix=".dict") as silences:
        silences.write(_SILENCES)
        silences.flush()
        return Decoder(
            hmm=get_model_path("en-us/en-us"),
            dict=get_model_path("en-us/cmudict-en-us.dict"),
            fdict=silences.name,
            lm=None,
            cmn="live",
            loglevel="FATAL",
            **parameters,
        )


def _decode(decoder: Decoder, search: str, samples: Samples, means: str) -> tuple[str, float]:
    """Words, and their log score a 10 ms frame to the base 1.0001."""
    pcm = np.clip(samples, -32768, 32767).astype("<i2").tobytes()
    decoder.activate_search(search)
    decoder.set_cmn(means)
    decoder.start_utt()
    decoder.process_raw(pcm)
    decoder.end_utt()
    found = decoder.hyp()
    if found is None or not found.hypstr or found.score <= 0:
        return "", -math.inf
    frames = samples.size / (MODEL_RATE // 100)
    return found.hypstr, math.log(found.score) / math.log(1.0001) / frames


def _trimmed(samples: Samples) -> Samples:
    """With 150 ms of its own silence at both ends, or of none; empty when nothing stands out."""
    frames = samples[: samples.size // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels = np.sqrt(np.mean(frames * frames, axis=1)) if frames.size else np.zeros(0)
    if not levels.size or levels.max() < LEAST_LEVEL:
        return np.zeros(0, np.float32)
    loud = np.nonzero(levels > max(float(levels.max()) * 0.03, LEAST_LEVEL))[0]
    edge = RATE * _EDGE_MS // 1000
    silence = np.zeros(edge, np.float32)  # words that begin at once are else not found
    begin, end = loud[0] * _FRAME, (loud[-1] + 1) * _FRAME
    return np.concatenate((silence, samples, silence))[begin : end + 2 * edge]


def _wide(samples: Samples, mirror: float) -> Samples:
    """8 to 16 kHz, with so much of the mirror image above 4 kHz."""
    wide: Samples = soxr.resample(samples, RATE, MODEL_RATE)
    if mirror:
        doubled = np.zeros(samples.size * 2, np.float32)
        doubled[::2] = samples * 2
        size = min(doubled.size, wide.size)
        wide = wide[:size] + mirror * (doubled[:size] - wide[:size])
    return wide
