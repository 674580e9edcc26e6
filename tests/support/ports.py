"""Ports of the loopback that nobody has now."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack

FIRST, LAST = 10_000, 20_000
"""Below the tests' RTP, and below the kernel's ephemeral ports (32768 and up), one of which an
outgoing connection of any other process could take before we do."""


def free_port(count: int = 1) -> int:
    """The first of so many ports in a row that are free for UDP and TCP."""
    while True:
        first = FIRST + secrets.randbelow(LAST - FIRST - count)
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        probe = stack.enter_context(socket.socket(socket.AF_INET, kind))
                        probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return first


def free_sip_port() -> int:
    """A port that is free for UDP and TCP, and the next one for TLS."""
    return free_port(2)
