"""What a media worker is told by its environment; an odd value is refused, never guessed at.

Each variable `X` may also come as `X_FILE`, a file that holds the value.

    PBXAI_WORKER_TOKEN     the token that the console gave for this worker (required)
    PBXAI_WEB_URL          the web side, default http://127.0.0.1:8000
    PBXAI_DATA             folder for the outbox, rendered speech and the TLS certificate
    PBXAI_SIP_ADDRESS      to listen on, default 127.0.0.1
    PBXAI_SIP_PUBLIC_ADDRESS  named in SDP and Contact instead, behind a 1:1 NAT
    PBXAI_SIP_PORT         UDP and TCP, default 5060; TLS one above
    PBXAI_RTP_PORT         first port of the RTP range, default 20000
    PBXAI_CLOCK_RATE       8000 (default), or 16000 for wideband lines: G.722, and Opus where built
    PBXAI_MAX_CALLS        calls at once that are wanted, default 512; the build may take fewer
    PBXAI_BROWSER_CALLS    calls from browsers at once, default 4; 0: none
    PBXAI_WEBRTC_ADDRESS   that browsers reach this worker at, default: those of this machine;
                           behind a 1:1 NAT the outer one
    PBXAI_ICE_SERVERS      for browsers behind a NAT, e.g. stun:stun.example.com:3478
                           turn:name:password@turn.example.com:3478?transport=udp; default: none
    PBXAI_DRAIN_SECONDS    how long calls may go on after SIGTERM, default 30
    PBXAI_METRICS_PORT     /metrics for Prometheus, default 0: off
    PBXAI_METRICS_ADDRESS  where that listens, default 127.0.0.1
    PBXAI_DEBUG            log lines for people, and more of them
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

ICE_SERVER: Final = re.compile(
    r"stuns?:[^\s:?@]+(:\d{1,5})?|turns?:[^\s:@]+:[^\s@]+@[^\s:?@]+(:\d{1,5})?(\?transport=(udp|tcp))?"
)
"""RFC 7064, and RFC 7065 with the name and password before the host."""
MAX_DRAIN_SECONDS: Final = 24 * 3600
CLOCK_RATES: Final = (8000, 16000)
TRUE_WORDS: Final = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS: Final = frozenset({"", "0", "false", "no", "off"})


class ConfigError(Exception):
    """A variable that cannot be used; the message names it and holds no secret."""


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    worker_token: str = field(repr=False)
    web_url: str = "http://127.0.0.1:8000"
    data: Path = Path("var")
    sip_address: str = "127.0.0.1"
    sip_public_address: str = ""
    sip_port: int = 5060
    tls_port: int = 5061
    rtp_port: int = 20000
    clock_rate: int = 8000
    max_calls: int = 512
    browser_calls: int = 4
    """0: none are taken, and nothing of WebRTC is loaded."""
    webrtc_address: str = ""
    ice_servers: tuple[str, ...] = field(default=(), repr=False)
    """May hold passwords."""
    drain_seconds: int = 30
    metrics_address: str = "127.0.0.1"
    metrics_port: int = 0
    """0: no metrics are served."""
    debug: bool = False

    @property
    def folder(self) -> Path:
        """The worker's own files."""
        return self.data / "worker"

    @property
    def recordings_folder(self) -> Path:
        """Recordings that are not at the web side yet."""
        return self.folder / "recordings"

    @property
    def speech_folder(self) -> Path:
        return self.data / "speech"


def read_config(environment: Mapping[str, str]) -> WorkerConfig:
    """Raises ConfigError."""
    env = _Reader(environment)
    sip_port = env.integer("PBXAI_SIP_PORT", 5060, low=1, high=65534)
    return WorkerConfig(
        worker_token=_token(env),
        web_url=_web_url(env.text("PBXAI_WEB_URL", "http://127.0.0.1:8000")),
        data=Path(env.text("PBXAI_DATA", "var")).expanduser().resolve(),
        sip_address=env.text("PBXAI_SIP_ADDRESS", "127.0.0.1"),
        sip_public_address=env.text("PBXAI_SIP_PUBLIC_ADDRESS", ""),
        sip_port=sip_port,
        tls_port=sip_port + 1,
        rtp_port=env.integer("PBXAI_RTP_PORT", 20000, low=1024, high=65000),
        clock_rate=env.choice("PBXAI_CLOCK_RATE", 8000, CLOCK_RATES),
        max_calls=env.integer("PBXAI_MAX_CALLS", 512, low=1, high=10_000),
        browser_calls=env.integer("PBXAI_BROWSER_CALLS", 4, low=0, high=100),
        webrtc_address=_address(env.text("PBXAI_WEBRTC_ADDRESS", "")),
        ice_servers=_ice_servers(env.text("PBXAI_ICE_SERVERS", "")),
        drain_seconds=env.integer("PBXAI_DRAIN_SECONDS", 30, low=0, high=MAX_DRAIN_SECONDS),
        metrics_address=env.text("PBXAI_METRICS_ADDRESS", "127.0.0.1"),
        metrics_port=env.integer("PBXAI_METRICS_PORT", 0, low=0, high=65535),
        debug=env.flag("PBXAI_DEBUG"),
    )


def _token(env: _Reader) -> str:
    token = env.text("PBXAI_WORKER_TOKEN", "")
    if not token:
        raise ConfigError(
            "PBXAI_WORKER_TOKEN is not set. Make a worker at /admin/, or with"
            " `manage.py create_worker`, and give its token to this process."
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError("PBXAI_WORKER_TOKEN holds characters that no token has.")
    return token


def _web_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(f"PBXAI_WEB_URL must look like https://pbxai.example.com, not {url!r}.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        raise ConfigError(f"PBXAI_WEBRTC_ADDRESS must be an IP address, not {text!r}.") from None


def _ice_servers(text: str) -> tuple[str, ...]:
    servers = tuple(text.replace(",", " ").split())
    for number, server in enumerate(servers, start=1):
        if not ICE_SERVER.fullmatch(server):
            raise ConfigError(
                f"PBXAI_ICE_SERVERS: server {number} must look like stun:host:port or"
                " turn:name:password@host:port?transport=udp."
            )
    return servers


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        value = self._environment.get(name, "")
        file_name = self._environment.get(f"{name}_FILE", "")
        if value and file_name:
            raise ConfigError(f"Set {name} or {name}_FILE, not both.")
        if not file_name:
            return value or default
        try:
            value = Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}_FILE: cannot read {file_name}: {error}") from None
        if not value:
            raise ConfigError(f"{name}_FILE: {file_name} is empty.")
        return value

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        value = self.text(name, str(default))
        try:
            number = int(value)
        except ValueError:
            raise ConfigError(f"{name} must be a whole number, not {value!r}.") from None
        if not low <= number <= high:
            raise ConfigError(f"{name} must be between {low} and {high}, not {number}.")
        return number

    def choice(self, name: str, default: int, choices: tuple[int, ...]) -> int:
        number = self.integer(name, default, low=choices[0], high=choices[-1])
        if number not in choices:
            words = " or ".join(map(str, choices))
            raise ConfigError(f"{name} must be {words}, not {number}.")
        return number

    def flag(self, name: str) -> bool:
        word = self.text(name, "").lower()
        if word not in TRUE_WORDS | FALSE_WORDS:
            raise ConfigError(f"{name} must be true or false, not {word!r}.")
        return word in TRUE_WORDS
