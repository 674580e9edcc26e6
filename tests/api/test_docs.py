"""The commands of docs/api.md, as they stand there."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser
from pathlib import Path
from urllib.parse import urlsplit

from tests.api.conftest import Api

TEXT = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def commands() -> list[list[str]]:
    lines = TEXT.read_text().replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("    curl ")]


def test_every_command_of_the_docs_is_answered(api: Api):
    curl = ArgumentParser()
    curl.add_argument("-X", dest="method", default="GET")
    curl.add_argument("-H", dest="headers", action="append")
    curl.add_argument("-d", dest="body")
    curl.add_argument("url")
    found = commands()
    assert len(found) >= 4
    for words in found:
        asked = curl.parse_args(words)
        headers = dict(one.split(": ", 1) for one in asked.headers)
        assert headers.pop("Authorization") == "Bearer $TOKEN"
        address = urlsplit(asked.url)
        assert address.netloc == "127.0.0.1:8000"
        path = address.path.removeprefix("/api/v1") + f"?{address.query}"
        body = asked.body.encode() if asked.body else None
        answer = api.ask(asked.method, path, body, **headers)
        assert answer.status_code == (201 if asked.method == "POST" else 200), answer.content
