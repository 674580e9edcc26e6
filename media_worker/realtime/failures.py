"""What a provider's refusals mean: HTTP status, close code, `error` event -> one SessionError.

The one place that knows error codes (REALTIME.md sections 0, 1.8 and 5). Messages hold what the
provider said, cut short and with the key and the prompt taken out.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from typing import Final

import msgspec
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import CloseCode

from media_worker.contract import ProblemKind
from media_worker.realtime.session import SessionError
from media_worker.realtime.wire import ErrorDetail

MESSAGE_LENGTH: Final = 400

_KINDS: Final[dict[str, ProblemKind]] = {
    # codes
    "invalid_api_key": ProblemKind.KEY_REFUSED,
    "missing_api_key": ProblemKind.KEY_REFUSED,
    "account_deactivated": ProblemKind.KEY_REFUSED,
    "unauthorized": ProblemKind.KEY_REFUSED,
    "insufficient_quota": ProblemKind.QUOTA,
    "quota_exceeded": ProblemKind.QUOTA,
    "credit_balance_exhausted": ProblemKind.QUOTA,
    "billing_hard_limit_reached": ProblemKind.QUOTA,
    "billing_not_active": ProblemKind.QUOTA,
    "rate_limit_exceeded": ProblemKind.RATE_LIMIT,
    "too_many_requests": ProblemKind.RATE_LIMIT,
    "model_not_found": ProblemKind.MODEL_REFUSED,
    "invalid_model": ProblemKind.MODEL_REFUSED,
    "unsupported_model": ProblemKind.MODEL_REFUSED,
    "model_load_error": ProblemKind.MODEL_REFUSED,
    "deploymentnotfound": ProblemKind.MODEL_REFUSED,
    "beta_api_shape_disabled": ProblemKind.DIALECT_REFUSED,
    "session_expired": ProblemKind.SESSION_EXPIRED,
    # types, where the code says nothing
    "server_error": ProblemKind.SILENT,
    "internal_error": ProblemKind.SILENT,
    "internal_server_error": ProblemKind.SILENT,
    "service_unavailable": ProblemKind.SILENT,
    "authentication_error": ProblemKind.KEY_REFUSED,
    "permission_error": ProblemKind.KEY_REFUSED,
    "rate_limit_error": ProblemKind.RATE_LIMIT,
}
_RETRYABLE: Final = frozenset(
    {
        ProblemKind.RATE_LIMIT,
        ProblemKind.SILENT,
        ProblemKind.SESSION_EXPIRED,
        ProblemKind.DROPPED,
        ProblemKind.UNREACHABLE,
    }
)
_FATAL: Final = frozenset(
    {
        ProblemKind.KEY_REFUSED,
        ProblemKind.QUOTA,
        ProblemKind.DIALECT_REFUSED,
        ProblemKind.MODEL_REFUSED,
        ProblemKind.SESSION_EXPIRED,
    }
)
_HTTP: Final = {
    401: ProblemKind.KEY_REFUSED,
    402: ProblemKind.QUOTA,
    403: ProblemKind.KEY_REFUSED,
    404: ProblemKind.MODEL_REFUSED,
    429: ProblemKind.RATE_LIMIT,
}
_OUR_CLOSE_CODES: Final = frozenset(
    {CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG}
)
"""We close with these when the server's frames are not WebSocket, not UTF-8, or too big."""


class Scrubber:
    """Takes what nobody may read out of a provider's words: the key, the prompt."""

    def __init__(self, key: str, prompt: str) -> None:
        # a few letters would be found by chance in any sentence
        least = ((key.strip(), 4), (prompt.strip(), 20))
        self._secrets = [secret for secret, length in least if len(secret) >= length]

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= MESSAGE_LENGTH else f"{text[: MESSAGE_LENGTH - 1]}…"


def failure(kind: ProblemKind, message: str, code: str = "") -> SessionError:
    return SessionError(kind, message, code=code[:100], retryable=kind in _RETRYABLE)


def is_fatal(kind: ProblemKind) -> bool:
    """Whether a session cannot go on after an `error` event of this kind."""
    return kind in _FATAL


def kind_of_code(words: Iterable[str | int | None]) -> ProblemKind | None:
    """Kind of the first word that we know: codes, types, or `type.code` as in a close reason."""
    for word in words:
        for part in reversed(str(word or "").lower().split(".")):
            if part in _KINDS:
                return _KINDS[part]
    return None


def kind_of_error(error: ErrorDetail, *, is_update: bool = False) -> ProblemKind:
    """Kind of an `error` event or of a failed response.

    `is_update`: it answers a session.update, so the settings are at fault where no code says
    otherwise. What else is neither known nor our own mistake is the provider's: no answer comes.
    """
    known = kind_of_code((error.code, error.type))
    if known is not None:
        return known
    if is_update:
        return ProblemKind.SETTINGS_REFUSED
    is_ours = (error.type or "").startswith("invalid_request")
    return ProblemKind.PROTOCOL if is_ours else ProblemKind.SILENT


def from_error(error: ErrorDetail, scrub: Scrubber, *, is_update: bool = False) -> SessionError:
    """An `error` event, or the error of a failed response, in our words."""
    code = code_of(error)
    message = scrub(error.message or code or "The provider gave no reason.")
    return failure(kind_of_error(error, is_update=is_update), message, code)


def code_of(error: ErrorDetail) -> str:
    return str(error.code or error.type or "")


def from_close(closed: ConnectionClosed, scrub: Scrubber) -> SessionError:
    """A WebSocket that the provider, the network or a broken frame closed."""
    if closed.sent is not None and not closed.rcvd_then_sent:
        if closed.sent.code in _OUR_CLOSE_CODES:
            return failure(
                ProblemKind.PROTOCOL, "The provider sent frames that cannot be read.", "frames"
            )
        if closed.rcvd is None:
            return failure(ProblemKind.DROPPED, "The provider stopped answering.", "keepalive")
    if closed.rcvd is None:
        return failure(ProblemKind.DROPPED, "The connection to the provider broke.", "1006")
    code, reason = closed.rcvd.code, closed.rcvd.reason
    kind = kind_of_code([reason])
    if kind is None:
        going_away = code == CloseCode.GOING_AWAY
        kind = ProblemKind.SESSION_EXPIRED if going_away else ProblemKind.DROPPED
    said = f": {reason}" if reason else ""
    return failure(kind, scrub(f"The provider closed the session ({code}){said}"), str(code))


def from_connect(error: Exception, place: str, scrub: Scrubber) -> SessionError:
    """What kept a session from being connected; `place` is the host and port."""
    if isinstance(error, InvalidStatus):
        return _from_http(error, place, scrub)
    if isinstance(error, ConnectionClosed):
        return from_close(error, scrub)
    if isinstance(error, InvalidURI):
        return SessionError(
            ProblemKind.UNREACHABLE, "The provider's address is not a ws:// or wss:// address."
        )
    return failure(ProblemKind.UNREACHABLE, scrub(_no_connection(error, place)))


def _from_http(error: InvalidStatus, place: str, scrub: Scrubber) -> SessionError:
    status = error.response.status_code
    detail = _error_in(error.response.body)
    kind = kind_of_code((detail.code, detail.type)) or _HTTP.get(status)
    if kind is None:
        kind = ProblemKind.UNREACHABLE if status >= 500 else ProblemKind.DIALECT_REFUSED
    said = f": {detail.message}" if detail.message else ""
    code = code_of(detail) or f"http_{status}"
    return failure(kind, scrub(f"{place} answered HTTP {status}{said}"), code)


class _Refusal(msgspec.Struct):
    error: ErrorDetail | str


def _error_in(body: bytes | bytearray | None) -> ErrorDetail:
    """The error of an HTTP refusal's JSON document; empty where there is none."""
    try:
        error = msgspec.json.decode(body or b"", type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ErrorDetail()
    return error if isinstance(error, ErrorDetail) else ErrorDetail(message=error)


def _no_connection(error: Exception, place: str) -> str:
    match error:
        case TimeoutError():
            return f"{place} did not answer in time."
        case ConnectionRefusedError():
            return f"Nothing answers at {place}: connection refused."
        case socket.gaierror():
            return f"The name in {place} cannot be resolved."
        case ssl.SSLCertVerificationError():
            return f"The certificate of {place} is not trusted: {error.verify_message}."
        case ssl.SSLError():
            return f"No TLS connection to {place}: {error.reason or 'handshake failed'}."
        case InvalidProxyStatus():
            return f"The proxy refused a connection to {place}: {error.response.status_code}."
        case OSError():
            return f"{place} cannot be reached: {error.strerror or 'no address of it answers'}."
        case InvalidHandshake():
            return f"{place} does not answer as a WebSocket server."
        case _:
            return f"{place} cannot be reached: {type(error).__name__}."
