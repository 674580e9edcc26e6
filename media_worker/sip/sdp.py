"""Answers that leave the peer no choice of codec (RFC 3264 section 6.1).

pjsip answers with all codecs that both sides know, in the peer's order, and the peer sends the
first. Where the call's audio goes on as G.711, the same law on the telephone's side is bit-exact.
"""

from __future__ import annotations

import re
from typing import Final

_STATIC: Final = {"0": "PCMU", "8": "PCMA", "9": "G722"}
"""Payload types that need no rtpmap (RFC 3551 table 4)."""
_EVENTS: Final = "telephone-event"


def narrowed(answer: str, offer: str, codec: str) -> str:
    """Our SDP with `codec` alone (and DTMF) where the offer has it too; otherwise as it is."""
    codec = codec.upper()
    if codec not in _codecs(offer).values():
        return answer
    ours = _codecs(answer)
    kept = [number for number, name in ours.items() if name in (codec, _EVENTS.upper())]
    if codec not in ours.values() or len(kept) == len(ours):
        return answer
    gone = "|".join(number for number in ours if number not in kept)
    lines = [
        _with_formats(line, kept) if line.startswith("m=audio ") else line
        for line in answer.splitlines()
        if not re.match(rf"a=(rtpmap|fmtp):({gone})\b", line)
    ]
    return "\r\n".join(lines) + "\r\n"


def _codecs(sdp: str) -> dict[str, str]:
    """Encoding names in capitals, by payload type, of the first audio stream."""
    stream = re.search(r"^m=audio \d+\S* \S+((?: \d+)+)", sdp, re.MULTILINE)
    if stream is None:
        return {}
    names = dict(re.findall(r"^a=rtpmap:(\d+) ([^/\s]+)/", sdp, re.MULTILINE))
    return {
        number: names.get(number, _STATIC.get(number, "")).upper() for number in stream[1].split()
    }


def _with_formats(line: str, formats: list[str]) -> str:
    head = line.split(" ")[:3]
    return " ".join([*head, *formats])
