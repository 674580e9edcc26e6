"""Ports of the loopback that nobody has now, and no other test process is given."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack

FIRST, LAST = 10_000, 12_000
"""Below the RTP of the tests and of bench/, and below the kernel's ephemeral ports (32768 and up),
one of which an outgoing connection of any other process could take before we do."""
LATEST = 64
_claims: dict[int, socket.socket] = {}
"""A name in the kernel for each of the latest ports that were given out: whoever is to listen there
may take seconds to start."""


def free_port(count: int = 1) -> int:
    """The first of so many ports in a row that are free for UDP and TCP."""
    while True:
        first = FIRST + secrets.randbelow(LAST - FIRST - count)
        ports = range(first, first + count)
        if all(_claim(port) for port in ports) and _are_free(ports):
            return first


def free_sip_port() -> int:
    """A port that is free for UDP and TCP, and the next one for TLS; baresip always takes both."""
    return free_port(2)


def _claim(port: int) -> bool:
    if port in _claims:
        return False
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0pbxai-test-port-{port}")  # abstract: no file, gone with the process
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    if len(_claims) > LATEST:
        _claims.pop(next(iter(_claims))).close()
    return True


def _are_free(ports: range) -> bool:
    with ExitStack() as stack:
        try:
            for port in ports:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    probe = stack.enter_context(socket.socket(socket.AF_INET, kind))
                    probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
