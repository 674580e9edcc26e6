"""Keys that the embedded default makes for itself, below PBXAI_DATA/keys, readable by us alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_or_create(path: Path, make: Callable[[], str]) -> str:
    """The file's content; made once, even when several processes start at the same moment."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        pass
    temporary = _write_temporary(path, make())
    try:
        # link() refuses to replace: the first process wins, the others read what it wrote.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_text(encoding="utf-8").strip()


def write(path: Path, content: str) -> None:
    """Replace the file's content at once; mode 600."""
    _write_temporary(path, content).replace(path)


def _write_temporary(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkstemp makes the file with mode 600.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
