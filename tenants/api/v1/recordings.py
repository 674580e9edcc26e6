"""The sound of a call."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from ninja import Router

from tenants.api.v1.calls import find_call
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import Trouble
from tenants.api.v1.routes import route
from tenants.models import Recording
from tenants.services import recordings

router = Router(tags=["recordings"])

_RANGE: Final = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
_SOUND: Final[dict[str, Any]] = {
    "description": "Opus in Ogg, stereo: the caller left, the agent right.",
    "content": {"audio/ogg": {"schema": {"type": "string", "format": "binary"}}},
}


@route(
    router,
    "GET",
    "/calls/{uuid:call_id}/recording",
    scope="calls:read",
    response=None,
    answers={200: _SOUND, 206: {**_SOUND, "description": "The part that `Range` asked for."}},
)
def get_recording(request: ApiRequest, call_id: UUID) -> HttpResponseBase:
    """The recording of a call; `Range: bytes=0-1023` gets a part of it."""
    found = Recording.objects.filter(call__public_id=call_id).exclude(file="").first()
    if found is None:
        raise Http404
    start, stop = _part(request.headers.get("Range", ""), found.size)
    # The file is opened now: what is missing must not end a good answer in its middle.
    pieces = recordings.read(found, start, stop - start)
    try:
        first = next(pieces, b"")
    except OSError:
        detail = "The storage cannot be used."
        raise Trouble(HTTPStatus.SERVICE_UNAVAILABLE, detail) from None
    answer = StreamingHttpResponse(_joined(first, pieces), content_type="audio/ogg")
    if (start, stop) != (0, found.size):
        answer.status_code = HTTPStatus.PARTIAL_CONTENT
        answer["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size}"
    answer["Content-Length"] = str(stop - start)
    answer["Accept-Ranges"] = "bytes"
    answer["ETag"] = f'"{found.sha256}"'
    return answer


def _part(header: str, size: int) -> tuple[int, int]:
    """First byte and the one behind the last; the whole when no part of it is asked for."""
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        return 0, size
    start, stop = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
    return (start, stop) if start < stop else (0, size)


async def _joined(piece: bytes, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Piece by piece: a synchronous iterator would be read whole before the first byte goes out."""
    while piece:
        yield piece
        piece = await sync_to_async(_next)(rest)


def _next(pieces: Iterator[bytes]) -> bytes:
    return next(pieces, b"")


@route(
    router,
    "DELETE",
    "/calls/{uuid:call_id}/recording",
    scope="calls:write",
    right="manage",
    response=None,
    status=204,
)
def delete_recording(request: ApiRequest, call_id: UUID) -> None:
    """Delete the recording of a call; the call itself stays."""
    if not recordings.delete(call=find_call(call_id), user=request.auth.user):
        raise Http404
