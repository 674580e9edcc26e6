"""What a worker makes of the INVITEs that reach it."""

from __future__ import annotations

import uuid
from time import monotonic
from typing import Final

from media_worker.contract import AdmissionRequest
from media_worker.sip.endpoint import Invite

LONGEST_FACT: Final = 255
"""Characters of what an INVITE says that are passed on."""
PRIVATE_HEADERS: Final = frozenset({"authorization", "proxy-authorization"})


def request_of(invite: Invite) -> AdmissionRequest:
    """What the INVITE says, bounded, without what is nobody's business."""
    headers = {
        name[:LONGEST_FACT]: value[:LONGEST_FACT]
        for name, value in invite.headers.items()
        if name.lower() not in PRIVATE_HEADERS
    }
    return AdmissionRequest(
        call_key=str(uuid.uuid4()),
        called=invite.called[:LONGEST_FACT],
        calling=invite.calling[:LONGEST_FACT],
        calling_name=invite.calling_name[:LONGEST_FACT],
        sip_call_id=invite.sip_call_id[:LONGEST_FACT],
        source=invite.source,
        headers=headers,
    )


class Allowance:
    """So many a minute, no more."""

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._since = monotonic()
        self._used = 0

    def take(self) -> bool:
        now = monotonic()
        if now - self._since >= 60:
            self._since, self._used = now, 0
        self._used += 1
        return self._used <= self._a_minute
