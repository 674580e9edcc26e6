"""Typed readers of the environment; an odd value is refused, never guessed at.

Every variable `X` may also come as `X_FILE`, the path of a file that holds the value (Docker and
systemd secrets). Giving both is refused. Variables: see `docs/` and pbxai/settings.py.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


class EnvError(ImproperlyConfigured):
    """A variable that cannot be used; the message names it and holds no secret."""


def optional(name: str) -> str | None:
    """The variable's value, from itself or its `_FILE`; None when neither is set or it is empty."""
    value, file_name = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value and file_name:
        raise EnvError(f"Set {name} or {name}_FILE, not both.")
    if file_name:
        try:
            value = Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise EnvError(f"{name}_FILE: cannot read {file_name}: {error}") from None
        if not value:
            raise EnvError(f"{name}_FILE: {file_name} is empty.")
    return value or None


def text(name: str, default: str) -> str:
    return optional(name) or default


def flag(name: str, default: bool = False) -> bool:
    value = optional(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise EnvError(f"{name} must be true or false, not {value!r}.")
    return word in TRUE_WORDS


def integer(name: str, default: int, *, low: int, high: int) -> int:
    value = optional(name)
    if value is None:
        return default
    try:
        number = int(value)
    except ValueError:
        raise EnvError(f"{name} must be a whole number, not {value!r}.") from None
    if not low <= number <= high:
        raise EnvError(f"{name} must be between {low} and {high}, not {number}.")
    return number


def port(name: str, default: int) -> int:
    return integer(name, default, low=1, high=65535)


def items(name: str) -> list[str]:
    """A list, separated by commas."""
    return [item.strip() for item in (optional(name) or "").split(",") if item.strip()]


def networks(name: str) -> list[str]:
    """IP networks, separated by commas: 10.0.0.0/8, fd00::/8."""
    try:
        return [str(ip_network(item)) for item in items(name)]
    except ValueError as error:
        raise EnvError(f"{name}: {error}.") from None


def folder(name: str, default: Path) -> Path:
    try:
        return Path(optional(name) or default).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise EnvError(f"{name}: cannot use this path: {error}.") from None


def own_folder(name: str, default: Path) -> Path:
    """A folder that we write in: made, for us alone to read, where it is not there yet."""
    path = folder(name, default)
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise EnvError(f"{name}: cannot make the folder {path}: {error.strerror}.") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise EnvError(f"{name}: {path} cannot be written by this user.")
    return path


def http_address(name: str) -> str | None:
    """An `http(s)://host[:port][/path]` without a slash at its end; None when it is not set."""
    value = optional(name)
    if value is None:
        return None
    parts = urlsplit(value)
    path = parts.path.rstrip("/")
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*", path)
        or parts.query
        or parts.fragment
    ):
        raise EnvError(
            f"{name} must look like https://pbxai.example.com or https://example.com/pbxai,"
            f" not {value!r}."
        )
    return f"{parts.scheme}://{parts.netloc}{path}"


def smtp(url: str) -> dict[str, Any]:
    """Django's settings for a mail server's address, `scheme://user:password@host:port`.

    smtp: TLS after STARTTLS (port 587), smtps: TLS from the start (465), smtp+plain: no TLS (25).
    """
    parts = urlsplit(url)
    ports = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
    if parts.scheme not in ports or not parts.hostname:
        raise EnvError("PBXAI_SMTP_URL must look like smtp://user:password@mail.example.com:587.")
    try:
        number = parts.port
    except ValueError:
        raise EnvError("PBXAI_SMTP_URL has an impossible port.") from None
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": unquote(parts.hostname),
        "EMAIL_PORT": number or ports[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": 10,
    }


def database(url: str) -> dict[str, Any]:
    """Django's settings for a `postgresql://user:password@host:port/name?option=value` address.

    `sqlite:///path` is read too, so that a check can say why it is not for production.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite(Path(parts.path))
    if parts.scheme not in {"postgres", "postgresql"}:
        raise EnvError("DATABASE_URL must begin with postgresql://")
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise EnvError("DATABASE_URL names no database: postgresql://user@host/name")
    try:
        number = parts.port
    except ValueError:
        raise EnvError("DATABASE_URL has an impossible port.") from None
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", "") or unquote(parts.hostname or "")
    # Under ASGI each request runs on a thread of its own; a pool saves it the connection's start.
    options["pool"] = {"min_size": 1, "max_size": 20, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(number or ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": 0,
    }


def sqlite(path: Path) -> dict[str, Any]:
    """SQLite that several processes share: writers queue up from BEGIN on, readers never wait."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
