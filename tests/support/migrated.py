"""A database as `manage.py migrate` makes it, made once for all the products that tests start."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parents[2]
NAME = "pbxai.sqlite3"


def give_database(data: Path) -> None:
    """Put the embedded database into a data folder that has none."""
    if (data / NAME).exists():
        return
    data.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(migrated_database(), data / NAME)


def migrated_database() -> Path:
    """The file to copy; whoever comes first makes it, the others wait."""
    kept = Path(tempfile.gettempdir()) / f"pbxai-migrated-{os.getuid()}-{_digest()}.sqlite3"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with tempfile.TemporaryDirectory() as folder:
                _migrate(Path(folder))
                partial = kept.with_suffix(".partial")
                shutil.copyfile(Path(folder) / NAME, partial)
                partial.replace(kept)
    return kept


def _migrate(data: Path) -> None:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PBXAI_")}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=ROOT,
        env={**environment, "PBXAI_DATA": str(data)},
        check=True,
    )


def _digest() -> str:
    """Of what the migrations do: ours, and the locked versions of the others'."""
    found = hashlib.sha256(django.__version__.encode())
    ours = sorted((ROOT / "tenants").glob("migrations/*.py"))
    for path in (*ours, ROOT / "tenants/search_index.py", ROOT / "requirements/run.txt"):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
