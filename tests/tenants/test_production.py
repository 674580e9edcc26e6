"""Half a production is refused by every command, and by the processes that run none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pbxai.checks import check_storage
from pbxai.crypto import new_key_entry

ROOT = Path(__file__).resolve().parents[2]
POSTGRES = "postgresql://pbxai@127.0.0.1:1/pbxai"
REDIS = "redis://127.0.0.1:1/0"


def run(data: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PBXAI_") and name not in {"DATABASE_URL", "REDIS_URL"}
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**kept, "PBXAI_DATA": str(data), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def keys() -> dict[str, str]:
    return {"PBXAI_SECRET_KEY": "k" * 50, "PBXAI_KEYRING": new_key_entry("one")}


def test_nothing_set_is_the_embedded_default(tmp_path: Path):
    done = run(tmp_path, "manage.py", "check")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "keys" / "keyring").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys" / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {
                "DATABASE_URL": "sqlite:////tmp/x",
                "PBXAI_DEBUG": "1",
                "PBXAI_ALLOWED_HOSTS": "*",
                "PBXAI_S3_ENDPOINT": "https://s3.example.com",
            },
            ["REDIS_URL is not", "SQLite", "PBXAI_DEBUG", "PBXAI_ALLOWED_HOSTS", "PBXAI_S3_BUCKET"],
        ),
        ({"REDIS_URL": REDIS}, ["DATABASE_URL is not"]),
    ],
)
def test_half_of_production_is_refused(tmp_path: Path, variables: dict[str, str], words: list[str]):
    """All that is wrong is said at once: a start takes a second or two."""
    done = run(tmp_path, "manage.py", "check", **keys(), **variables)
    assert done.returncode != 0
    assert [word for word in words if word not in done.stderr] == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PBXAI_S3_ENDPOINT": "https://s3.example.com"}, "PBXAI_S3_BUCKET is not"),
        ({"PBXAI_S3_BUCKET": "b", "PBXAI_S3_ACCESS_KEY": "k"}, "PBXAI_S3_SECRET_KEY go together"),
        ({"PBXAI_S3_BUCKET": "b", "PBXAI_S3_SECRET_KEY": "s"}, "PBXAI_S3_ACCESS_KEY and"),
        ({"PBXAI_S3_BUCKET": "b", "PBXAI_S3_ENDPOINT": "s3.example.com"}, "PBXAI_S3_ENDPOINT"),
    ],
)
def test_half_a_storage_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: str
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (found,) = check_storage(None)
    assert found.is_serious()
    assert words in found.msg


def test_a_whole_storage_passes_with_keys_or_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    monkeypatch.setenv("PBXAI_S3_BUCKET", "b")
    assert check_storage(None) == []
    monkeypatch.setenv("PBXAI_S3_ACCESS_KEY", "k")
    monkeypatch.setenv("PBXAI_S3_SECRET_KEY_FILE", str(secret))
    assert check_storage(None) == []


def test_production_makes_no_keys_of_its_own(tmp_path: Path):
    variables = {"DATABASE_URL": POSTGRES, "REDIS_URL": REDIS}
    for missing in keys():
        given = {name: value for name, value in keys().items() if name != missing}
        done = run(tmp_path, "manage.py", "check", **variables, **given)
        assert done.returncode != 0
        assert missing in done.stderr
    assert not (tmp_path / "keys").exists()


def test_whole_production_passes(tmp_path: Path):
    production = {"DATABASE_URL": POSTGRES, "REDIS_URL": REDIS, "PBXAI_S3_BUCKET": "b"}
    done = run(tmp_path, "manage.py", "check", **production, **keys())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "program", ["import pbxai.asgi", "from pbxai.celery import prepare; prepare()"]
)
def test_web_and_jobs_refuse_too(tmp_path: Path, program: str):
    done = run(tmp_path, "-c", program, DATABASE_URL=POSTGRES, **keys())
    assert done.returncode != 0
    assert "REDIS_URL is not" in done.stderr


def test_a_broken_keyring_is_found_at_the_start(tmp_path: Path):
    done = run(tmp_path, "manage.py", "check", PBXAI_KEYRING="one:c2hvcnQ=")
    assert done.returncode != 0
    assert "32 bytes" in done.stderr
    assert "c2hvcnQ" not in done.stderr
