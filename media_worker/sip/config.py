"""What a SIP endpoint is told, and how it complains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - a name for it, not a binding


CODECS: Final = {8000: ("PCMU", "PCMA"), 16000: ("opus", "G722", "PCMU", "PCMA")}
"""By clock rate. At 16 kHz G.711 is resampled by pjmedia, which costs CPU."""
NOT_IN_EVERY_BUILD: Final = frozenset({"opus"})


class SipError(Exception):
    """The SIP side cannot do what was asked; says why in plain words."""


@dataclass(frozen=True, kw_only=True)
class SipConfig:
    """Where to listen and how much to take. Port 0 lets the system choose."""

    address: str = "127.0.0.1"
    """Numeric; goes into SDP and Contact. `0.0.0.0` listens on all and names the host's own."""
    public_address: str = ""
    """Named in SDP and Contact instead of `address` (behind a 1:1 NAT)."""
    port: int = 5060
    """UDP and TCP."""
    tls_port: int = 0
    """0: no TLS."""
    dials_tls: bool = False
    """TLS towards others only, from any port (phones)."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    rtp_port: int = 20000
    """First port of the RTP range; 0: any free ones."""
    max_calls: int = 512
    """Wanted; the build may take fewer."""
    clock_rate: int = 8000
    codecs: tuple[str, ...] = ()
    """RTP encoding names, most wanted first; all others are off. None: what suits `clock_rate`."""
    srtp: bool = True
    """Offer and take SRTP (SDES) as well as RTP."""
    media_timeout_seconds: float = 60.0
    """A call whose peer sends no RTP for so long, and is not on hold, is hung up. 0: never."""
    user: str = "pbxai"
    """User part of our own SIP address."""
    user_agent: str = "pbxai"
    log_level: int = 2
    """pjsip's own: 1 errors, 2 warnings, 3 information, 4 messages."""

    def __post_init__(self) -> None:
        for name in ("port", "tls_port", "rtp_port"):
            if not 0 <= getattr(self, name) <= 65535:
                raise SipError(f"{name} must be between 0 and 65535, not {getattr(self, name)}.")
        if self.max_calls < 1:
            raise SipError(f"max_calls must be at least 1, not {self.max_calls}.")
        if self.clock_rate not in (8000, 16000):
            raise SipError(f"clock_rate must be 8000 or 16000, not {self.clock_rate}.")
        if self.tls_port and not (self.tls_certificate and self.tls_key):
            raise SipError("TLS needs a certificate and a key.")

    @property
    def codec_names(self) -> tuple[str, ...]:
        return self.codecs or CODECS[self.clock_rate]

    @property
    def rtp_ports(self) -> int:
        """Width of the RTP range: two ports a call, and as many again to skip those in use."""
        return 0 if not self.rtp_port else min(self.max_calls * 4 + 16, 65535 - self.rtp_port)
