"""What a client did wrong, as the real API words it."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Becomes an `error` event; the session goes on."""

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param

    def detail(self, event_id: str | None) -> dict[str, Any]:
        """The `error` member; `event_id` is that of the client's event."""
        return error_detail(self.message, code=self.code, param=self.param, event_id=event_id)


def error_detail(
    message: str,
    *,
    code: str,
    type_: str = "invalid_request_error",
    param: str | None = None,
    event_id: str | None = None,
) -> dict[str, Any]:
    return {
        "type": type_,
        "code": code,
        "message": message,
        "param": param,
        "event_id": event_id,
    }
