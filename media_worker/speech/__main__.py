"""`python -m media_worker.speech --language de --wav hello.wav < text`: speak to a file or a pipe.

The words come from the arguments or, without any, from standard input. Without --wav raw PCM16 goes
to standard output. Exit status 2 with one line on standard error when they cannot be spoken.
"""

from __future__ import annotations

import argparse
import sys
import wave

from media_worker.speech.voices import RATES, SpeechError, render


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m media_worker.speech")
    parser.add_argument("words", nargs="*", help="what to say (else standard input)")
    parser.add_argument("--language", default="en", help="BCP 47 tag, e.g. en, de, fr-CH")
    parser.add_argument("--rate", type=int, default=24000, choices=RATES, help="samples a second")
    parser.add_argument("--speed", type=float, default=1.0, help="0.25 to 1.5")
    parser.add_argument("--wav", help="write this WAV file instead of raw PCM16")
    arguments = parser.parse_args()
    text = " ".join(arguments.words) or sys.stdin.buffer.read().decode(errors="replace")
    try:
        pcm = render(text, arguments.language, arguments.rate, speed=arguments.speed)
    except SpeechError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    if arguments.wav:
        with wave.open(arguments.wav, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(arguments.rate)
            file.writeframes(pcm)
    else:
        sys.stdout.buffer.write(pcm)
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
