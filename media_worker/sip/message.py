"""Reads what matters out of a SIP request's text: any input gives an answer, never a raise.

pjsip has parsed the message before; this takes from the text what pjsua2 does not hand out (the
Request-URI as dialled, the headers). RFC 3261 section 7.3 (folding, compact names), 19.1, 20.10.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

import msgspec

MOST_HEADERS: Final = 64
LONGEST_VALUE: Final = 1024
LONGEST_USER: Final = 128

_COMPACT: Final = {
    "i": "Call-ID",
    "m": "Contact",
    "e": "Content-Encoding",
    "l": "Content-Length",
    "c": "Content-Type",
    "f": "From",
    "s": "Subject",
    "k": "Supported",
    "t": "To",
    "v": "Via",
    "r": "Refer-To",
    "b": "Referred-By",
    "x": "Session-Expires",
}
_NEEDED: Final = {"from", "call-id", "via"}
"""A call's record is made of these: kept however many others there are."""
_SECRET: Final = {"authorization", "proxy-authorization"}
"""Hold credentials: they stay in this room."""
_ADDRESS: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<([^>]*)>')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SIP_URI: Final = re.compile(r"sips?:[!-;=?-~]+", re.IGNORECASE)
"""Nothing that could end the URI or the header it stands in; pjsip does the rest."""


class Address(msgspec.Struct, frozen=True):
    """A name-addr or addr-spec (RFC 3261 section 20.10)."""

    name: str
    user: str
    uri: str


class Request(msgspec.Struct, frozen=True):
    method: str
    uri: str
    headers: dict[str, str]
    """Repeated ones joined by a comma; names as sent, compact ones written out."""

    def header(self, name: str) -> str:
        wanted = name.lower()
        return next((v for key, v in self.headers.items() if key.lower() == wanted), "")


def parse_request(text: str) -> Request:
    """Start line and headers; what cannot be read is left out."""
    head = text.replace("\r\n", "\n").split("\n\n", 1)[0]
    start, _, rest = head.partition("\n")
    method, _, after = start.partition(" ")
    headers: dict[str, str] = {}
    names: dict[str, str] = {}
    for line in re.sub(r"\n[ \t]+", " ", rest).split("\n"):
        name, colon, value = line.partition(":")
        name = _COMPACT.get(name.strip().lower(), name.strip())
        if not colon or not name or name.lower() in _SECRET:
            continue
        name = names.setdefault(name.lower(), name)
        is_full = len(headers) >= MOST_HEADERS and name.lower() not in _NEEDED
        if is_full and name not in headers:
            continue
        joined = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        headers[name] = _clean(joined, LONGEST_VALUE)
    return Request(method, after.rpartition(" ")[0] or after, headers)


def user_of(uri: str) -> str:
    """User part of a sip:, sips: or tel: URI, unescaped, without its parameters; else empty."""
    scheme, colon, rest = uri.strip().partition(":")
    scheme = scheme.lower()
    if not colon or scheme not in ("sip", "sips", "tel"):
        return ""
    if scheme == "tel":
        user = rest
    else:
        user, at, _ = rest.rpartition("@")
        if not at:
            return ""
    user = user.partition(";")[0]
    return _clean(unquote(user.partition(":")[0], errors="replace"), LONGEST_USER)


def is_sip_uri(text: str) -> bool:
    """Whether it may be given to pjsip, which stops reading where it pleases, for a closer look."""
    return _SIP_URI.fullmatch(text) is not None


def one_line(text: str) -> str:
    """Text of ours that goes into a start line or a header."""
    return _CONTROL.sub(" ", text)


def parse_address(value: str) -> Address:
    """`"Name" <uri>;tag=x`, or a bare URI."""
    match = _ADDRESS.match(value)
    if match:
        quoted, token, uri = match.groups()
        name = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token
    else:
        name, uri = "", value.strip().partition(";")[0]
    return Address(_clean(name.strip(), LONGEST_USER), user_of(uri), uri)


def transport_of(request: Request) -> str:
    """`UDP`, `TCP` or `TLS` of the topmost Via (RFC 3261 section 20.42); empty if there is none."""
    sent_by = request.header("Via").partition(",")[0].split()
    protocol = sent_by[0].split("/") if sent_by else []
    return _clean(protocol[2].upper(), 16) if len(protocol) == 3 else ""


def _clean(text: str, longest: int) -> str:
    return one_line(text)[:longest]
