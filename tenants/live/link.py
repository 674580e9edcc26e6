"""The link of a media worker: events come up and are acknowledged, commands go down."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import InterfaceError, OperationalError
from django.db.models import F
from django.utils import timezone

from media_worker import contract
from pbxai.doors import socket_actor
from tenants.actor import become
from tenants.live.database import in_link_database
from tenants.models import Worker
from tenants.models.choices import Via
from tenants.services import accounts, commands, intake, live, trial, workers
from tenants.services.text import plain

log = structlog.get_logger(__name__)

CLOSE_TOKEN_REFUSED: Final = 4401
CLOSE_REPLACED: Final = 4409
CLOSE_TRY_AGAIN: Final = 4503
HEARD_BYTES: Final = 800
"""100 ms of PCMU."""


class _Events(msgspec.Struct, frozen=True, tag_field="frame", tag="events", kw_only=True):
    """contract.Events with its records still closed, so that a bad one is one bad one."""

    stream: str
    records: tuple[msgspec.Raw, ...]


_decode: Final = msgspec.json.Decoder(
    contract.Hello
    | _Events
    | contract.Heartbeat
    | contract.CommandDone
    | contract.BrowserCallAnswer
    | contract.ListenAudio
    | contract.ListenEnded
).decode


class WorkerLink(AsyncWebsocketConsumer):
    """One worker's WebSocket. A bad token is refused in the handshake (daphne says 403), one that
    is switched off later closes it with 4401; a newer link of the same worker closes it with 4409,
    a database that is down with 4503. A bad frame closes nothing.
    """

    worker: Worker | None = None
    greeted = False
    closing = False
    gap = "any"
    """Which records may be missing before a batch: `any` before the first one, for the outbox may
    have been cleared; `one` after a rejection, when the worker goes on record by record."""

    async def connect(self) -> None:
        become(socket_actor(self.scope, Via.WORKER))
        try:
            self.worker = await in_link_database(workers.authenticate, self._token())
            if self.worker is None:
                source = (self.scope.get("client") or ["unknown"])[0]
                await in_link_database(workers.note_refused, source=source, path=contract.LINK_PATH)
                await self.close()
                return
        except (OperationalError, InterfaceError):
            # Not refused: the worker must not take its token for a wrong one.
            await self.accept()
            await self._close(CLOSE_TRY_AGAIN)
            return
        await self.accept()

    async def disconnect(self, code: int) -> None:
        if self.worker is None or not self.greeted:
            return
        await self.channel_layer.group_discard(live.worker_group(self.worker), self.channel_name)
        try:
            gone = await in_link_database(workers.link_closed, self.worker, self.channel_name)
        except (OperationalError, InterfaceError):
            return  # the watch over workers will find it silent
        if gone:
            log.info("link_closed", worker=self.worker.name, code=code)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.worker is None or self.closing:
            # What comes behind a batch that could not be stored must not be stored before it.
            return
        try:
            await self._handle(self.worker, self._frame(text_data))
        except (msgspec.MsgspecError, intake.MalformedBatch, _FrameError) as error:
            await self._reject(self.worker, str(error))
        except (OperationalError, InterfaceError) as error:
            log.error("database_down", worker=self.worker.name, error=type(error).__name__)
            await self._close(CLOSE_TRY_AGAIN)

    # --- from the channel layer

    async def worker_command(self, message: live.WorkerCommand) -> None:
        await self.send(text_data=message["frame"])

    async def link_replaced(self, message: live.LinkReplaced) -> None:
        if message["link"] != self.channel_name:
            await self._close(CLOSE_REPLACED)

    # --- frames

    def _frame(self, text: str | None) -> Any:
        if text is None:
            raise _FrameError("Frames are text.")
        if len(text) > contract.MAX_FRAME_BYTES:
            raise _FrameError("The frame is too large.")
        frame = _decode(text)
        if isinstance(frame, contract.Hello) == self.greeted:
            raise _FrameError("Hello comes first, and once.")
        return frame

    async def _handle(self, worker: Worker, frame: Any) -> None:
        if isinstance(frame, contract.Hello):
            await self._hello(worker, frame)
        elif isinstance(frame, _Events):
            may_miss = self.gap == "any" or (self.gap == "one" and len(frame.records) == 1)
            stored = await in_link_database(_store, worker, frame, may_miss)
            self.gap = "none"
            await self._send(contract.Ack(stream=frame.stream, seq=stored.acknowledged))
            await live.apublish(stored.notices)
        elif isinstance(frame, contract.Heartbeat):
            if not await in_link_database(workers.heartbeat, worker, frame):
                log.warning("worker_switched_off", worker=worker.name)
                await self._close(CLOSE_TOKEN_REFUSED)
        elif isinstance(frame, contract.ListenAudio):
            await self._hear(frame)
        elif isinstance(frame, contract.ListenEnded):
            await live.apublish(await in_link_database(_listen_ended, worker, frame))
        elif isinstance(frame, contract.BrowserCallAnswer):
            await live.apublish(await in_link_database(trial.answered, worker, frame))
        else:
            await live.apublish(await in_link_database(_command_done, worker, frame))

    async def _hello(self, worker: Worker, frame: contract.Hello) -> None:
        acknowledged = await in_link_database(_greet, worker, frame, self.channel_name)
        group = live.worker_group(worker)
        await live.apublish(
            [(group, live.LinkReplaced(type="link.replaced", link=self.channel_name))]
        )
        await self.channel_layer.group_add(group, self.channel_name)
        self.greeted = True
        await self._send(
            contract.Welcome(
                worker=worker.name, acknowledged=acknowledged, draining=worker.drain_wanted
            )
        )
        await live.apublish([live.worker_changed(worker)])
        log.info("link_open", worker=worker.name, host=frame.host, capacity=frame.capacity)

    async def _hear(self, frame: contract.ListenAudio) -> None:
        """Sound goes straight on, to who listens; it is in no database."""
        if len(frame.caller) > HEARD_BYTES or len(frame.agent) > HEARD_BYTES:
            raise _FrameError("This is more than 100 ms of sound.")
        try:
            await live.apublish([live.heard(frame)])
        except ValueError:
            raise _FrameError("The id is not a UUID.") from None

    async def _reject(self, worker: Worker, detail: str) -> None:
        log.warning("frame_rejected", worker=worker.name, why=detail)
        if self.gap == "none":
            self.gap = "one"
        await in_link_database(_count_rejected, worker)
        await self._send(contract.Rejected(detail=detail))

    async def _send(self, frame: contract.DownFrame) -> None:
        await self.send(text_data=contract.encode(frame).decode())

    async def _close(self, code: int) -> None:
        self.closing = True
        await self.close(code)

    def _token(self) -> str:
        for name, value in self.scope["headers"]:
            if name == b"authorization":
                return workers.bearer_token(value.decode("latin-1"))
        return ""


class _FrameError(Exception):
    """A frame that must not come here or now."""


def _greet(worker: Worker, frame: contract.Hello, link: str) -> int:
    worker.refresh_from_db(fields=["drain_wanted"])
    acknowledged = intake.acknowledged(worker=worker, stream=frame.stream)
    workers.link_opened(worker, frame, link)
    return acknowledged


def _store(worker: Worker, frame: _Events, may_miss: bool) -> intake.Stored:
    stored = intake.store(
        worker=worker, stream=frame.stream, records=frame.records, may_miss=may_miss
    )
    Worker.objects.filter(pk=worker.pk).update(last_seen_at=timezone.now())
    return stored


def _command_done(worker: Worker, frame: contract.CommandDone) -> list[live.Notice]:
    log.info("command_done", worker=worker.name, command=frame.command_id, ok=frame.ok)
    notices = commands.finished(
        worker=worker, command_id=frame.command_id, ok=frame.ok, detail=frame.detail
    )
    if frame.ok or notices:
        return notices
    accounts.fail_check(frame.command_id, plain(frame.detail))
    return trial.failed(worker, frame.command_id, frame.detail)


def _listen_ended(worker: Worker, frame: contract.ListenEnded) -> list[live.Notice]:
    return commands.listening_over(worker=worker, listen_id=frame.listen_id)


def _count_rejected(worker: Worker) -> None:
    Worker.objects.filter(pk=worker.pk).update(rejected_frames=F("rejected_frames") + 1)
