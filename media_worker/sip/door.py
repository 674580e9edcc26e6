"""Turns a new call away with 503 and Retry-After before it takes a place in pjsua's call table.

pjsua answers 486 by itself when its table is full, and that table has four places in the PyPI
wheel: a caller's PBX would report "busy" instead of trying elsewhere. pjsua2 has no earlier hook,
but its library exports pjsip's own functions, so a pjsip module registered through ctypes sees each
INVITE of no dialog before pjsua does, and answers it without state (RFC 3261 section 8.2.7).

What is no call (REGISTER, SUBSCRIBE, MESSAGE ...) gets 403 here: pjsua would accept some of it from
anybody, and leave the rest without an answer.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, Structure, byref, c_char_p, c_int, c_ssize_t, c_void_p
from typing import Any, Final

from media_worker.sip.engine import log_failure
from media_worker.sip.library import c_library

_BEFORE_PJSUA: Final = 63
"""PJSIP_MOD_PRIORITY_APPLICATION - 1: after transactions and dialogs, before pjsua."""
_HEADER_BYTES: Final = 256
"""More than a pjsip_hdr; of the list's head only the two pointers are used."""
_PACKET_BYTES: Final = 4000
"""PJSIP_MAX_PKT_LEN at its least; a pjsip_rx_data holds the packet and is larger than this."""

_NO_CALL: Final = (b"REGISTER", b"SUBSCRIBE", b"PUBLISH", b"MESSAGE", b"REFER", b"NOTIFY")
"""Refused outside a dialogue. pjsip itself answers 481 to BYE, INFO and the like."""
_NO_CALL_REASON: Final = b"Only calls are taken here"

_OnRequest = CFUNCTYPE(c_int, c_void_p)


class _Str(Structure):
    _fields_ = (("ptr", c_char_p), ("slen", c_ssize_t))


class _Module(Structure):
    """struct pjsip_module of pjsip/sip_module.h."""

    _fields_ = (
        ("prev", c_void_p),
        ("next", c_void_p),
        ("name", _Str),
        ("id", c_int),
        ("priority", c_int),
        ("load", c_void_p),
        ("start", c_void_p),
        ("stop", c_void_p),
        ("unload", c_void_p),
        ("on_rx_request", _OnRequest),
        ("on_rx_response", c_void_p),
        ("on_tx_request", c_void_p),
        ("on_tx_response", c_void_p),
        ("on_tsx_state", c_void_p),
    )


class Door:
    """Registered with pjsip while an endpoint runs. All methods belong to the pjsip thread."""

    def __init__(
        self,
        *,
        is_full: Callable[[], bool],
        on_turned_away: Callable[[str], None],
        retry_after_seconds: int,
    ) -> None:
        self._is_full = is_full
        self._on_turned_away = on_turned_away
        self._retry_after = retry_after_seconds
        self._library = c_library()
        self._callback = _OnRequest(self._on_request)  # kept: pjsip holds a pointer to it
        self._module = _Module()
        self._no_call_reason = _Str(_NO_CALL_REASON, len(_NO_CALL_REASON))
        self._headers = ctypes.create_string_buffer(_HEADER_BYTES)
        self._endpoint: int | None = None

    def open(self) -> None:
        """Register with pjsip. After libInit, before libStart."""
        library = self._library
        self._endpoint = library.pjsua_get_pjsip_endpt()
        pool = library.pjsua_pool_create(b"door", 512, 512)
        head = ctypes.addressof(self._headers)
        ctypes.memmove(head, (c_void_p * 2)(head, head), ctypes.sizeof(c_void_p) * 2)
        retry_after = library.pjsip_retry_after_hdr_create(pool, self._retry_after)
        library.pj_list_insert_before(head, retry_after)
        module = self._module
        module.name, module.id, module.priority = _Str(b"mod-door", 8), -1, _BEFORE_PJSUA
        module.on_rx_request = self._callback
        status = library.pjsip_endpt_register_module(self._endpoint, byref(module))
        if status:
            raise OSError(f"pjsip refused the module (status {status})")

    def _on_request(self, rdata: int) -> int:
        """pj_bool_t on_rx_request(pjsip_rx_data*): 1 when the request was dealt with."""
        try:
            info = self._library.pjsip_rx_data_get_info(rdata) or b""
            method = info.removeprefix(b"Request msg ").partition(b"/")[0]
            if method in _NO_CALL:
                self._respond(rdata, 403, byref(self._no_call_reason), None)
            elif method == b"INVITE" and self._is_full():
                self._respond(rdata, 503, None, ctypes.addressof(self._headers))
                self._on_turned_away(_message(rdata))
            else:
                return 0
        except Exception:  # nothing may reach C
            log_failure("the door")
            return 0
        return 1

    def _respond(self, rdata: int, status: int, reason: Any, headers: int | None) -> None:
        self._library.pjsip_endpt_respond_stateless(
            self._endpoint, rdata, status, reason, headers, None
        )


def _message(rdata: int) -> str:
    """The INVITE's text (its beginning, when it is long), or empty when it cannot be told apart.

    The packet lies inside the structure. Over TCP several messages may lie there: then none is
    picked, so that no call is recorded under another's name.
    """
    packet = ctypes.string_at(rdata, _PACKET_BYTES)
    start = packet.find(b"INVITE ")
    end = packet.find(b"\0", start)
    if start < 0 or packet.count(b" SIP/2.0\r\n", 0, end if end > 0 else len(packet)) != 1:
        return ""
    return packet[start : end if end > 0 else len(packet)].decode("utf-8", "replace")
