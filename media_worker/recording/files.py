"""The folder in which recordings wait: what lies there says how far each one is.

    <call>.json    Facts, from the first sound on
    <call>.raw     16-bit little-endian stereo PCM, still being written
    <call>.pcm     the same, complete
    <call>.ogg     encoded, to be sent
    refused/       what the web side will not take; for a person to look at

A name changes in one step, so that a process that is killed at any moment leaves only what the next
one can go on with.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

RAW: Final = ".raw"
PCM: Final = ".pcm"
OGG: Final = ".ogg"
FACTS: Final = ".json"
PART: Final = ".part"
REFUSED: Final = "refused"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a recording besides its sound."""

    call_id: str
    clock_rate: int
    offset_ms: int
    """Of its beginning, from the call's answer."""
    duration_ms: int = 0
    """Once encoded."""
    sha256: str = ""
    """Of the Ogg file."""
    attempts: int = 0
    """To encode it."""


class Folder:
    """Raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / REFUSED).mkdir(parents=True, exist_ok=True, mode=0o700)

    def file(self, call_id: str, suffix: str) -> Path:
        return self.path / f"{call_id}{suffix}"

    def waiting(self, suffix: str) -> list[str]:
        """Calls with such a file, the longest waiting first."""
        found = []
        for path in self.path.glob(f"*{suffix}"):
            with suppress(FileNotFoundError):  # another process is done with it
                found.append((path.stat().st_mtime, path.stem))
        return [call_id for _, call_id in sorted(found)]

    def unsent(self) -> tuple[int, int]:
        """Recordings that are complete here and not sent: how many, and their bytes."""
        sizes = {}
        for suffix in (PCM, OGG):  # one of the two, or both for a moment
            for call_id in self.waiting(suffix):
                with suppress(FileNotFoundError):
                    sizes[call_id] = self.file(call_id, suffix).stat().st_size
        return len(sizes), sum(sizes.values())

    def facts(self, call_id: str) -> Facts | None:
        """None where they are missing or cannot be read."""
        try:
            return msgspec.json.decode(self.file(call_id, FACTS).read_bytes(), type=Facts)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def write_facts(self, facts: Facts) -> None:
        part = self.file(facts.call_id, FACTS + PART)
        part.write_bytes(msgspec.json.encode(facts))
        part.replace(self.file(facts.call_id, FACTS))

    def remove(self, call_id: str, suffixes: Iterable[str] = (RAW, PCM, OGG, FACTS)) -> None:
        for suffix in suffixes:
            self.file(call_id, suffix).unlink(missing_ok=True)

    def set_aside(self, call_id: str) -> Path:
        """Keep what the web side does not take; where the sound lies now."""
        aside = self.path / REFUSED
        for suffix in (PCM, OGG, FACTS):
            if self.file(call_id, suffix).exists():
                self.file(call_id, suffix).replace(aside / f"{call_id}{suffix}")
        return aside / f"{call_id}{OGG}"

    def complete_leftovers(self) -> None:
        """At a worker's start: what was being written when the last one died ends there."""
        for call_id in self.waiting(RAW):
            if self.facts(call_id) is None:  # not a second long, or never answered
                self.remove(call_id)
            else:
                self.file(call_id, RAW).replace(self.file(call_id, PCM))
        for entry in self.path.glob(f"*{PART}"):
            entry.unlink(missing_ok=True)
