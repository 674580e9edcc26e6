"""What goes to open pages and to workers through the channel layer.

Groups: `tenant.<hex>` hears of the tenant's calls, `call.<hex>` of one call, `worker.<hex>` takes
commands, `talk.<hex>` gets the answer to a call from a browser, `listen.<hex>` the sound that one
person listens to, `stream.<hex>` a tenant's events for integrators, `console` hears of the workers.
Messages are small and name rows, which whoever hears one loads under its own rights; only what was
said comes along, for words are to be on the page at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, Literal, TypedDict

import msgspec
import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from media_worker import contract
from tenants.models import Call, Tenant, TranscriptEntry, Worker

log = structlog.get_logger(__name__)


class CallChanged(TypedDict):
    type: Literal["call.changed"]
    call: str


class EntryChanged(TypedDict):
    type: Literal["call.entry"]
    item_id: str
    stamp: str
    """Of this state of the entry; no other notice has it."""
    said: dict[str, Any]
    """Fields of TranscriptEntry, SAID."""


class ToolChanged(TypedDict):
    type: Literal["call.tool"]
    tool_call_id: str


class WorkerCommand(TypedDict):
    """A frame of the contract, as JSON text, for the worker's link."""

    type: Literal["worker.command"]
    frame: str


class BrowserAnswered(TypedDict):
    """A worker's answer to the offer of a call from a browser; `refused` says why there is none."""

    type: Literal["browser.answered"]
    sdp: str
    refused: str


class Heard(TypedDict):
    """100 ms of a call, for one who listens; see contract.ListenAudio."""

    type: Literal["listen.heard"]
    seq: int
    at_ms: int
    caller: bytes
    agent: bytes


class ListeningOver(TypedDict):
    """No more sound comes; `why` says so where it never began."""

    type: Literal["listen.over"]
    why: str


class Streamed(TypedDict):
    """An event for integrators; see services/stream.py."""

    type: Literal["stream.event"]
    document: dict[str, Any]


class WorkerChanged(TypedDict):
    type: Literal["worker.changed"]
    worker: str


class LinkReplaced(TypedDict):
    """A worker has a newer link; every other one of it closes."""

    type: Literal["link.replaced"]
    link: str


Message = (
    CallChanged
    | EntryChanged
    | ToolChanged
    | WorkerCommand
    | LinkReplaced
    | BrowserAnswered
    | Heard
    | ListeningOver
    | WorkerChanged
    | Streamed
)
CONSOLE: Final = "console"
Notice = tuple[str, Message]
"""A group and what to tell it."""


def tenant_group(tenant: Tenant) -> str:
    return f"tenant.{tenant.public_id.hex}"


def call_group(public_id: uuid.UUID) -> str:
    return f"call.{public_id.hex}"


def talk_group(public_id: uuid.UUID) -> str:
    """Of the one socket through which a person speaks with an agent."""
    return f"talk.{public_id.hex}"


def listen_group(listen_id: uuid.UUID) -> str:
    """Of the one socket through which a person listens to a call."""
    return f"listen.{listen_id.hex}"


def worker_group(worker: Worker) -> str:
    return f"worker.{worker.public_id.hex}"


def call_changed(call: Call) -> list[Notice]:
    """Tell the pages of the call and of its tenant; a refused call may have no tenant."""
    message = CallChanged(type="call.changed", call=str(call.public_id))
    groups = [call_group(call.public_id)]
    if call.tenant:
        groups.append(tenant_group(call.tenant))
    return [(group, message) for group in groups]


SAID: Final = (
    "position", "speaker", "text", "cut_text", "final", "offset_ms", "duration_ms",
)  # fmt: skip


def entry_changed(call: Call, entry: TranscriptEntry) -> Notice:
    message = EntryChanged(
        type="call.entry",
        item_id=entry.item_id,
        stamp=uuid.uuid4().hex,
        said={name: getattr(entry, name) for name in SAID},
    )
    return call_group(call.public_id), message


def tool_changed(call: Call, tool_call_id: str) -> Notice:
    return call_group(call.public_id), ToolChanged(type="call.tool", tool_call_id=tool_call_id)


def browser_answered(call: Call, *, sdp: str, refused: str) -> Notice:
    message = BrowserAnswered(type="browser.answered", sdp=sdp, refused=refused)
    return talk_group(call.public_id), message


def heard(frame: contract.ListenAudio) -> Notice:
    """Raises ValueError when the frame's id is none."""
    message = Heard(
        type="listen.heard",
        seq=frame.seq,
        at_ms=frame.at_ms,
        caller=frame.caller,
        agent=frame.agent,
    )
    return listen_group(uuid.UUID(frame.listen_id)), message


def listening_over(listen_id: uuid.UUID, why: str) -> Notice:
    return listen_group(listen_id), ListeningOver(type="listen.over", why=why)


def worker_changed(worker: Worker) -> Notice:
    return CONSOLE, WorkerChanged(type="worker.changed", worker=str(worker.public_id))


def command(worker: Worker, frame: contract.DownFrame) -> Notice:
    text = msgspec.json.encode(frame).decode()
    return worker_group(worker), WorkerCommand(type="worker.command", frame=text)


def publish_on_commit(notices: Iterable[Notice]) -> None:
    """Send when the transaction that is open now has been committed; at once without one."""
    transaction.on_commit(partial(publish, list(notices)))


def publish(notices: Iterable[Notice]) -> None:
    async_to_sync(apublish)(notices)


async def apublish(notices: Iterable[Notice]) -> None:
    """Send best effort; that a call changed, once: what is lost here, the next change brings."""
    layer = get_channel_layer()
    if layer is None:
        return
    changed = set()
    for group, message in notices:
        if message["type"] == "call.changed":
            if (group, message["call"]) in changed:
                continue
            changed.add((group, message["call"]))
        try:
            await layer.group_send(group, dict(message))
        except Exception:
            # The rows are stored; a channel layer that is down must not undo that.
            log.exception("live_message_lost", group=group, kind=message["type"])
