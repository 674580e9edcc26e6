"""The environment is read strictly: an odd value is refused by name, never guessed at."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbxai import env


def test_a_value_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("from the file\n")
    monkeypatch.setenv("PBXAI_X_FILE", str(secret))
    assert env.optional("PBXAI_X") == "from the file"


def test_value_and_file_together_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PBXAI_X", "a")
    monkeypatch.setenv("PBXAI_X_FILE", str(tmp_path / "b"))
    with pytest.raises(env.EnvError, match="not both"):
        env.optional("PBXAI_X")


def test_an_unreadable_or_empty_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PBXAI_X_FILE", str(tmp_path / "missing"))
    with pytest.raises(env.EnvError, match="PBXAI_X_FILE"):
        env.optional("PBXAI_X")
    (tmp_path / "missing").write_text("")
    with pytest.raises(env.EnvError, match="empty"):
        env.optional("PBXAI_X")


@pytest.mark.parametrize(("word", "value"), [("true", True), ("0", False), ("YES", True)])
def test_flag_knows_the_usual_words(monkeypatch: pytest.MonkeyPatch, word: str, value: bool):
    monkeypatch.setenv("PBXAI_X", word)
    assert env.flag("PBXAI_X") is value


@pytest.mark.parametrize("word", ["maybe", "2"])
def test_flag_refuses_other_words(monkeypatch: pytest.MonkeyPatch, word: str):
    monkeypatch.setenv("PBXAI_X", word)
    with pytest.raises(env.EnvError, match="PBXAI_X"):
        env.flag("PBXAI_X")


@pytest.mark.parametrize("text", ["0", "65536", "http", "80.5"])
def test_port_is_a_port(monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("PBXAI_X", text)
    with pytest.raises(env.EnvError, match="PBXAI_X"):
        env.port("PBXAI_X", 8000)


def test_items_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PBXAI_X", "a.example, b.example ,")
    assert env.items("PBXAI_X") == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://pbx.example:8443/", "https://pbx.example:8443"),
        ("http://pbx.example/phones/ai/", "http://pbx.example/phones/ai"),
    ],
)
def test_http_address_ends_without_a_slash(
    text: str, address: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PBXAI_X", text)
    assert env.http_address("PBXAI_X") == address


@pytest.mark.parametrize(
    "text",
    ["pbx.example", "ftp://x", "https://x/a b", "https://x//a", "https://x/../a", "https://x/?a=1"],
)
def test_http_address_is_one(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PBXAI_X", text)
    with pytest.raises(env.EnvError, match="PBXAI_X"):
        env.http_address("PBXAI_X")


def test_database_address_is_taken_apart():
    read = env.database("postgresql://us%40er:p%2Fw@db.example:5433/calls?sslmode=require")
    assert (read["USER"], read["PASSWORD"], read["HOST"]) == ("us@er", "p/w", "db.example")
    assert (read["PORT"], read["NAME"], read["OPTIONS"]["sslmode"]) == ("5433", "calls", "require")


def test_database_address_may_name_a_socket():
    assert env.database("postgresql:///calls?host=/run/postgresql")["HOST"] == "/run/postgresql"


@pytest.mark.parametrize("url", ["mysql://h/n", "postgresql://host/", "postgresql://h:99999/n"])
def test_other_databases_are_refused_without_showing_the_address(url: str):
    with pytest.raises(env.EnvError) as caught:
        env.database(url)
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "ssl"),
    [
        ("smtp://u%40x:p%2F@mail.example", "mail.example", 587, True, False),
        ("smtps://mail.example", "mail.example", 465, False, True),
        ("smtp+plain://127.0.0.1:1025", "127.0.0.1", 1025, False, False),
    ],
)
def test_a_mail_servers_address_says_how_it_is_spoken_to(
    url: str, host: str, port: int, tls: bool, ssl: bool
):
    found = env.smtp(url)
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == (host, port)
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (tls, ssl)
    if "@" in url:
        assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("u@x", "p/")


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtp://mail.example:x"])
def test_an_odd_mail_servers_address_is_refused(url: str):
    with pytest.raises(env.EnvError, match="PBXAI_SMTP_URL"):
        env.smtp(url)
