"""What a recording looks like: the greatest level of each of its thousand parts, caller and agent.

A job draws recordings soon after they have come, and once an hour those that it has missed.
"""

from __future__ import annotations

import time
from typing import IO, Any, Final

import av
import numpy as np
import structlog
from av.error import FFmpegError
from django.db.models import QuerySet
from numpy.typing import NDArray

from tenants.models import Recording

log = structlog.get_logger(__name__)

PARTS: Final = 1000
LANES: Final = 2
SIZE: Final = LANES * PARTS
UNREADABLE: Final = b"\0"
"""Kept instead of peaks when the file cannot be read, so that nobody tries again."""
BLOCK: Final = 480
NEWEST: Final = 200
"""So many recordings are looked at every few seconds; by their keys, for most are drawn already."""
AT_ONCE: Final = 10
HOURLY: Final = 2000
HOURLY_SECONDS: Final = 300.0


def draw_newest() -> int:
    """Draw those of the newest recordings that are not drawn yet; gives how many."""
    newest = Recording.all_tenants.order_by("-pk").values("pk")[:NEWEST]
    due = _undrawn().filter(pk__in=newest).order_by("-pk").values_list("pk", flat=True)
    return sum(_draw(pk) for pk in list(due[:AT_ONCE]))


def draw_missed(seconds: float = HOURLY_SECONDS) -> int:
    """Draw older ones, for about as long as that; gives how many."""
    until = time.monotonic() + seconds
    done = 0
    for pk in list(_undrawn().order_by("-pk").values_list("pk", flat=True)[:HOURLY]):
        if time.monotonic() > until:
            break
        done += _draw(pk)
    return done


def _undrawn() -> QuerySet[Recording]:
    return Recording.all_tenants.filter(peaks=b"").exclude(file="")


def _draw(pk: int) -> bool:
    recording = _undrawn().filter(pk=pk).first()
    if recording is None:
        return False
    try:
        with recording.file.open("rb") as file:
            peaks = peaks_of(file)
    except (FFmpegError, OSError, ValueError) as error:
        log.warning("recording_not_drawn", recording=pk, why=str(error))
        peaks = UNREADABLE
    # Deleted meanwhile: then nothing of it is kept.
    return bool(_undrawn().filter(pk=pk).update(peaks=peaks))


def peaks_of(file: IO[bytes]) -> bytes:
    """PARTS bytes of the left lane, then of the right: greatest levels from 0 to 255.

    Raises FFmpegError or ValueError when it is not stereo sound.
    """
    levels: list[NDArray[np.float32]] = []
    rest = np.zeros((LANES, 0), np.float32)
    with av.open(file, mode="r", format="ogg") as container:
        for frame in container.decode(audio=0):
            rest = np.concatenate([rest, _samples(frame)], axis=1)
            whole = rest.shape[1] // BLOCK * BLOCK
            if whole:
                levels.append(_greatest(rest[:, :whole]))
                rest = rest[:, whole:]
    if rest.shape[1]:
        levels.append(np.abs(rest).max(axis=1, keepdims=True))
    if not levels:
        raise ValueError("There is no sound in it.")
    return _in_parts(np.concatenate(levels, axis=1))


def _samples(frame: Any) -> NDArray[np.float32]:
    """A frame as floats, a row a channel."""
    samples: NDArray[np.float32] = frame.to_ndarray()
    if frame.format.name != "fltp" or samples.shape[0] != LANES:
        raise ValueError("This is not stereo Opus.")
    return samples


def _greatest(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The greatest level of each block."""
    greatest: NDArray[np.float32] = np.abs(samples).reshape(LANES, -1, BLOCK).max(axis=2)
    return greatest


def _in_parts(levels: NDArray[np.float32]) -> bytes:
    """Levels of blocks, however many, as PARTS of each lane."""
    count = levels.shape[1]
    begins = np.arange(PARTS) * count // PARTS
    parts = levels[:, begins] if count < PARTS else np.maximum.reduceat(levels, begins, axis=1)
    return bytes(np.clip(np.rint(parts * 255), 0, 255).astype(np.uint8).tobytes())
