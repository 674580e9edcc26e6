"""The stream of events as server-sent events: `GET /api/v1/stream?types=&agent=&tenant=`.

Each event is `id`, `event` (its type) and `data`, the document of services/stream.py; a comment
every 15 seconds keeps proxies from closing it. Nothing is repeated: `Last-Event-ID` is ignored.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Final

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from tenants.api.problems import problem
from tenants.api.v1.door import too_many_strangers
from tenants.api.v1.errors import CHALLENGE
from tenants.live.listeners import BadQuery, Listener, listener
from tenants.live.stream import look_up
from tenants.live.viewers import FORBIDDEN, NOT_FOUND, SIGNED_OUT, Refused

BEAT_SECONDS: Final = 15.0
_REFUSALS: Final = {
    SIGNED_OUT: (HTTPStatus.UNAUTHORIZED, "Show a token of the tenant, or sign in."),
    FORBIDDEN: (HTTPStatus.FORBIDDEN, "This token is not good for the stream."),
    NOT_FOUND: (HTTPStatus.NOT_FOUND, "There is no such tenant for you, or it must be named."),
}
_DOWN: Final = (HTTPStatus.SERVICE_UNAVAILABLE, "The database cannot be used.")


@csrf_exempt  # nothing is done here, and 405 is the better answer
@never_cache
async def stream(request: HttpRequest) -> HttpResponseBase:
    if request.method != "GET":
        return problem(HTTPStatus.METHOD_NOT_ALLOWED, "Use GET.", {"Allow": "GET"})
    user = await request.auser()
    scope = {"user": user, "session": request.session}
    try:
        who = listener(scope, request.headers.get("Authorization", ""), request.GET.dict())
        who = await look_up(who)
    except BadQuery as error:
        return _bad_query(str(error))
    except Refused as refused:
        return await _refusal(refused.code)
    response = StreamingHttpResponse(events(who), content_type="text/event-stream")
    # nginx would hold the events back until its buffer is full.
    response["X-Accel-Buffering"] = "no"
    return response


def _bad_query(detail: str) -> HttpResponseBase:
    errors = [{"detail": detail, "parameter": "types"}]
    return problem(HTTPStatus.BAD_REQUEST, detail, code="invalid", errors=errors)


async def _refusal(code: int) -> HttpResponseBase:
    status, detail = _REFUSALS.get(code, _DOWN)
    if status != HTTPStatus.UNAUTHORIZED:
        return problem(status, detail)
    return await sync_to_async(too_many_strangers)() or problem(status, detail, CHALLENGE)


async def events(who: Listener) -> AsyncIterator[str]:
    """Until the client goes, which cancels this, or loses the right."""
    layer: Any = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(who.group, channel)
    try:
        yield ": welcome\n\n"
        while True:
            try:
                message = await asyncio.wait_for(layer.receive(channel), BEAT_SECONDS)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if not who.is_fresh():
                who = await look_up(who)
            if who.wants(message["document"]):
                yield _event(message["document"])
    except Refused:
        return
    finally:
        await layer.group_discard(who.group, channel)


def _event(document: dict[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False)
    return f"id: {document['id']}\nevent: {document['type']}\ndata: {text}\n\n"
