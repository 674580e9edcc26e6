"""Which addresses of this machine a browser is told of."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from typing import Final

from aioice import ice

LOOPBACK: Final = "127.0.0.1"
_HOST_CANDIDATE: Final = re.compile(
    r"(?m)^a=candidate:(?P<head>\S+ \d+ udp \d+) (?P<host>\S+) (?P<port>\d+) typ host(?P<rest>.*)$",
    re.IGNORECASE,
)
_gather: Final[Callable[..., list[str]]] = ice.get_host_addresses


def listen_on(address: str) -> None:
    """Have all connections of this process gather `address`, where this machine has it; else all
    that it has, and its loopback where it has no other: aioice leaves that out."""

    def addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        if is_ours(address):
            return [address]
        return _gather(use_ipv4, use_ipv6) or [LOOPBACK]

    ice.get_host_addresses = addresses


def is_ours(address: str) -> bool:
    """Whether a socket of this machine can have this address."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except (OSError, ValueError):
        return False
    return True


def told(sdp: str, address: str) -> str:
    """The SDP with `address` in place of our own hosts', behind a 1:1 NAT; as it is without one.

    One candidate a port stays, of the address family of `address` (RFC 8839 section 5.1).
    """
    if not address or is_ours(address):
        return sdp
    version = ipaddress.ip_address(address).version
    ports: set[str] = set()

    def rewritten(found: re.Match[str]) -> str:
        host, port = found["host"], found["port"]
        if ipaddress.ip_address(host).version != version or port in ports:
            return ""
        ports.add(port)
        return f"a=candidate:{found['head']} {address} {port} typ host{found['rest']}"

    lines = _HOST_CANDIDATE.sub(rewritten, sdp.replace("\r\n", "\n")).split("\n")
    return "\r\n".join(line for line in lines if line) + "\r\n"
