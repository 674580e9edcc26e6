"""The stream of events in the API's description; tenants/api/stream.py serves it."""

from __future__ import annotations

from typing import Any, Final

from tenants.access import SCOPE_RIGHTS
from tenants.live.listeners import SCOPE
from tenants.services.stream import KINDS

NAME: Final = "stream_events"
EVENT: Final[dict[str, Any]] = {
    "title": "StreamedEvent",
    "description": "`data` of an event, and a message of the WebSocket `/ws/v1/stream`.",
    "type": "object",
    "required": ["id", "type", "at", "tenant", "data"],
    "properties": {
        "id": {"type": "string", "format": "uuid", "description": "The same for the same event."},
        "type": {"type": "string", "enum": list(KINDS)},
        "at": {"type": "string", "format": "date-time"},
        "tenant": {"type": "string"},
        "data": {
            "type": "object",
            "required": ["call", "agent"],
            "properties": {
                "call": {"type": "string", "format": "uuid"},
                "agent": {"type": ["string", "null"], "format": "uuid"},
            },
            "description": "The call, its agent, and what happened.",
        },
    },
    "examples": [
        {
            "id": "0d6f7a0e-6f0b-5c1e-9a55-1c9e0f2d3b47",
            "type": "transcript.updated",
            "at": "2026-11-22T10:00:07Z",
            "tenant": "acme",
            "data": {
                "call": "9d9f3c7e-2b1a-4c57-9a52-3f1d8f6b7e10",
                "agent": "3c1f6b0a-9a4e-4f0e-8d21-7a4b6a1c2d90",
                "position": 2,
                "item_id": "item_C9CwDc8U0Dlgl9QyxXq2b",
                "speaker": "caller",
                "text": "Please connect me to sales.",
                "cut_text": "",
                "final": True,
                "offset_ms": 4000,
                "duration_ms": 1500,
            },
        }
    ],
}
_STATUSES: Final = ("400", "401", "403", "404", "429", "500", "503")


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


OPERATION: Final[dict[str, Any]] = {
    "operationId": NAME,
    "summary": "Stream events",
    "description": "What happens on the tenant's calls, as it happens: server-sent events that do "
    "not end. Nothing is repeated. The WebSocket `/ws/v1/stream` carries the same documents.",
    "tags": ["stream"],
    "parameters": [
        _parameter(
            "types",
            f"Only these, with commas between them: {', '.join(KINDS)}.",
            {"type": "string"},
        ),
        _parameter("agent", "Id of an agent: only its calls.", {"type": "string"}),
        _parameter(
            "tenant",
            "Its short name; only a session in several tenants needs it.",
            {"type": "string"},
        ),
    ],
    "responses": {
        "200": {
            "description": "`id`, `event` (the type) and `data` (the document StreamedEvent).",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": "id: 0d6f7a0e-6f0b-5c1e-9a55-1c9e0f2d3b47\n"
                    "event: transcript.updated\n"
                    'data: {"id": "0d6f7a0e-6f0b-5c1e-9a55-1c9e0f2d3b47", '
                    '"type": "transcript.updated", ...}\n\n',
                }
            },
        },
        **{status: {"$ref": f"#/components/responses/{status}"} for status in _STATUSES},
    },
    "security": [{"Token": []}, {"Session": []}],
    "x-scope": SCOPE,
    "x-right": SCOPE_RIGHTS[SCOPE],
}
