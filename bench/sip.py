"""The callers' SIP: a user agent client for many calls over one UDP socket (RFC 3261).

INVITE with SDP, ACK, BYE, retransmissions of all of them, answers to the other side's BYE. It
shares no code with the product. Everything runs in `poll`, which the caller asks often.
"""

from __future__ import annotations

import heapq
import itertools
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from bench.datagrams import stamped_at, udp_socket

T1: Final = 0.5
"""Seconds to the first retransmission (section 17.1.1.2)."""
TRIES: Final = 6
_MEDIA: Final = re.compile(r"^m=audio (\d+)", re.MULTILINE)
_HOST: Final = re.compile(r"^c=IN IP4 (\S+)", re.MULTILINE)
_CONTACT: Final = re.compile(r"<(sips?:[^>]+)>")


@dataclass
class Dialog:
    """One call as its signalling goes. Times are CLOCK_MONOTONIC seconds; 0: has not happened."""

    call: int
    number: str
    server: tuple[str, int]
    call_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    invited_at: float = 0.0
    final_at: float = 0.0
    """Arrival of the first final response."""
    status: int = 0
    retry_after: str = ""
    ended_at: float = 0.0
    by_peer: bool = False
    """The other side sent the BYE."""
    media: tuple[str, int] = ("", 0)
    resent: int = 0
    to: str = ""
    target: str = ""
    branch: str = ""
    hung_up_at: float = 0.0
    ack: bytes = b""

    @property
    def setup_seconds(self) -> float:
        """INVITE to final response."""
        return self.final_at - self.invited_at

    @property
    def is_up(self) -> bool:
        return self.status == 200 and not self.ended_at and not self.hung_up_at


class UserAgent:
    """`on_final` and `on_end` are called with the dialog from within `poll`."""

    def __init__(
        self,
        rtp_port: int,
        *,
        on_final: Callable[[Dialog], None],
        on_end: Callable[[Dialog], None],
    ) -> None:
        self._rtp_port = rtp_port
        self._on_final = on_final
        self._on_end = on_end
        self._udp = udp_socket()
        host, port = self._udp.getsockname()
        self._here = f"{host}:{port}"
        self._dialogs: dict[str, Dialog] = {}
        self._timers: list[tuple[float, int, Dialog, bytes, str, int]] = []
        self._numbers = itertools.count()
        self.lost = 0
        """Requests that nobody answered."""

    def close(self) -> None:
        self._udp.close()

    def invite(self, call: int, number: str, server: tuple[str, int]) -> Dialog:
        dialog = Dialog(call, number, server)
        self._dialogs[dialog.call_id] = dialog
        dialog.branch = _branch()
        text = self._request(dialog, "INVITE", 1, self._uri(dialog), self._sdp())
        dialog.invited_at = time.monotonic()
        self._send_until(dialog, text, dialog.branch)
        return dialog

    def hang_up(self, dialog: Dialog) -> None:
        if not dialog.is_up:
            return
        dialog.hung_up_at = time.monotonic()
        dialog.branch = _branch()
        self._send_until(dialog, self._request(dialog, "BYE", 2, dialog.target), dialog.branch)

    def poll(self) -> None:
        """Handle what came, and send again what was not answered."""
        while True:
            try:
                data, control, _, source = self._udp.recvmsg(65536, 64)
            except BlockingIOError:
                break
            self._take(data.decode(errors="replace"), stamped_at(control), source)
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            self._again(*heapq.heappop(self._timers)[2:])

    # --- inside ----------------------------------------------------------------------------------

    def _send_until(self, dialog: Dialog, text: bytes, branch: str, tries: int = 0) -> None:
        """Send; and again after T1, 2 T1, 4 T1 ... for as long as `branch` is not answered."""
        self._udp.sendto(text, dialog.server)
        due = time.monotonic() + T1 * 2**tries
        heapq.heappush(self._timers, (due, next(self._numbers), dialog, text, branch, tries + 1))

    def _again(self, dialog: Dialog, text: bytes, branch: str, tries: int) -> None:
        if dialog.branch != branch:
            return
        if tries < TRIES:
            dialog.resent += 1
            self._send_until(dialog, text, branch, tries)
            return
        self.lost += 1
        self._end(dialog)

    def _take(self, text: str, at: float, source: tuple[str, int]) -> None:
        head, _, body = text.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        dialog = self._dialogs.get(fields.get("call-id", ""))
        if first.startswith("SIP/2.0"):
            if dialog is not None:
                self._answered(dialog, int(first.split()[1]), fields, body, at)
        elif not first.startswith("ACK"):
            self._respond(lines, source)
            if dialog is not None and first.startswith("BYE"):
                dialog.by_peer = not dialog.hung_up_at
                self._end(dialog, at)

    def _answered(
        self, dialog: Dialog, status: int, fields: dict[str, str], body: str, at: float
    ) -> None:
        if "BYE" in fields["cseq"]:
            self._end(dialog, at)
        elif status < 200:
            if not dialog.final_at:
                dialog.branch = ""  # the INVITE has come: send it no more
        elif dialog.final_at:
            self._udp.sendto(dialog.ack, dialog.server)  # ours was lost (section 13.2.2.4)
        else:
            self._final(dialog, status, fields, body, at)

    def _final(
        self, dialog: Dialog, status: int, fields: dict[str, str], body: str, at: float
    ) -> None:
        dialog.final_at, dialog.status, dialog.to = at, status, fields["to"]
        dialog.retry_after = fields.get("retry-after", "")
        contact = _CONTACT.search(fields.get("contact", ""))
        dialog.target = contact[1] if contact else self._uri(dialog)
        via = re.search(r"branch=([^;\s]+)", fields.get("via", ""))
        dialog.branch = _branch() if status < 300 else (via[1] if via else "")
        target = dialog.target if status < 300 else self._uri(dialog)
        dialog.ack = self._request(dialog, "ACK", 1, target)
        dialog.branch = ""
        self._udp.sendto(dialog.ack, dialog.server)
        if status < 300:
            port, host = _MEDIA.search(body), _HOST.search(body)
            dialog.media = (host[1] if host else "", int(port[1]) if port else 0)
        self._on_final(dialog)
        if status >= 300:
            self._end(dialog, at)

    def _end(self, dialog: Dialog, at: float = 0.0) -> None:
        if dialog.ended_at:
            return
        dialog.ended_at = at or time.monotonic()
        dialog.branch = ""
        self._on_end(dialog)

    def _respond(self, lines: list[str], source: tuple[str, int]) -> None:
        wanted = ("via", "from", "to", "call-id", "cseq")
        kept = [line for line in lines if line.partition(":")[0].strip().lower() in wanted]
        text = "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""])
        self._udp.sendto(text.encode(), source)

    def _request(self, dialog: Dialog, method: str, number: int, uri: str, body: str = "") -> bytes:
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._here};rport;branch={dialog.branch}",
            "Max-Forwards: 70",
            f"From: <sip:caller{dialog.call}@{self._here}>;tag={dialog.call_id[:8]}",
            f"To: {dialog.to or f'<{self._uri(dialog)}>'}",
            f"Call-ID: {dialog.call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:caller@{self._here}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        return "\r\n".join(lines).encode()

    def _uri(self, dialog: Dialog) -> str:
        host, port = dialog.server
        return f"sip:{dialog.number}@{host}:{port}"

    def _sdp(self) -> str:
        host = self._here.partition(":")[0]
        return (
            f"v=0\r\no=bench 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {self._rtp_port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
        )


def _branch() -> str:
    return "z9hG4bK" + uuid.uuid4().hex[:16]
