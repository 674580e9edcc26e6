"""Speech in other languages by espeak-ng, as a shared library (`espeakng_loader`) through ctypes.

Source of the interface: speak_lib.h of espeak-ng 1.52. The library keeps one state for a whole
process, hence the lock.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache

import espeakng_loader
import numpy as np

from media_worker.speech.shaping import Samples
from media_worker.speech.words import SpeechError

_OUTPUT_SYNCHRONOUS = 2
_CHARS_UTF8 = 1
_PARAMETER_RATE = 1
_WORDS_PER_MINUTE = 160
_SLOWEST_WORDS_PER_MINUTE = 80
"""espeak-ng speaks no slower than this."""

_lock = threading.Lock()
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _Voice(ctypes.Structure):
    """espeak_VOICE; `languages` is a list of (priority byte, C string), ended by a zero byte."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.POINTER(ctypes.c_char)),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


class _Library:
    """The loaded library, its sample rate and its voices by language."""

    def __init__(self) -> None:
        self.lib = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate: int = self.lib.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, data, 0)
        if self.rate <= 0:
            raise SpeechError("espeak-ng could not be started: its voice data is not readable.")
        self.voices = self._list_voices()

    def _list_voices(self) -> dict[str, bytes]:
        """Best voice (lowest priority number) of each language tag, as espeak-ng ranks them."""
        self.lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        listed = self.lib.espeak_ListVoices(None)
        ranked: dict[str, tuple[int, bytes]] = {}
        index = 0
        while listed[index]:
            voice = listed[index].contents
            index += 1
            if voice.identifier.startswith(b"mb/"):
                continue  # needs MBROLA's data, which is not in the wheel
            for priority, tag in _languages(voice):
                if tag not in ranked or priority < ranked[tag][0]:
                    ranked[tag] = (priority, voice.identifier)
        return {tag: identifier for tag, (_, identifier) in ranked.items()}

    def voice_for(self, language: str) -> bytes:
        tag = language.replace("_", "-").lower()
        for candidate in (tag, tag.split("-")[0]):
            if candidate in self.voices:
                return self.voices[candidate]
        raise SpeechError(f"There is no voice for the language {language!r}.")

    def speak(self, text: str, voice: bytes, words_per_minute: int) -> Samples:
        chunks: list[bytes] = []

        def collect(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
            if samples and count > 0:
                chunks.append(ctypes.string_at(samples, count * 2))
            return 0

        callback = _Callback(collect)
        self.lib.espeak_SetSynthCallback(callback)
        if self.lib.espeak_SetVoiceByName(voice) != 0:
            raise SpeechError(f"espeak-ng could not load its voice {voice.decode()}.")
        self.lib.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
        data = text.encode()
        status = self.lib.espeak_Synth(
            ctypes.c_char_p(data), ctypes.c_size_t(len(data) + 1), 0, 0, 0, _CHARS_UTF8, None, None
        )
        if status != 0:
            raise SpeechError("espeak-ng could not speak this text.")
        pcm = np.frombuffer(b"".join(chunks), "<i2")
        return (pcm / 32768.0).astype(np.float32)


def _languages(voice: _Voice) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    raw, place = voice.languages, 0
    while raw[place] != b"\0":
        priority = raw[place][0]
        tag = ctypes.string_at(ctypes.addressof(raw.contents) + place + 1)
        found.append((priority, tag.decode().lower()))
        place += 1 + len(tag) + 1
    return found


@cache
def _library() -> _Library:
    return _Library()


def speak(text: str, language: str, speed: float) -> tuple[Samples, int]:
    """float32 samples and their rate in Hz. SpeechError for a language without a voice."""
    with _lock:
        library = _library()
        words = max(_SLOWEST_WORDS_PER_MINUTE, round(_WORDS_PER_MINUTE * speed))
        return library.speak(text, library.voice_for(language), words), library.rate
