"""The life of a media worker: start, take calls, drain, stop.

A call comes in (`sip`), is admitted (`reception`), held (`conversation`) and told of
(`control.outbox`, `control.link`). Whatever goes wrong in one call ends that call, with a record,
and never the worker.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import signal
import socket
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog

from media_worker.apology import Apologies
from media_worker.audio.activity import LISTEN_MS, VoiceActivity
from media_worker.audio.neural import NeuralVad
from media_worker.calls import Calls
from media_worker.chats import Chats
from media_worker.config import WorkerConfig
from media_worker.contract import (
    USES_FALLBACK,
    AnyEvent,
    DrainWorker,
    EndCause,
    Frame,
    Heartbeat,
    Hello,
    WorkerStarted,
)
from media_worker.control.admission import Admission, AdmissionError
from media_worker.control.link import Link
from media_worker.control.outbox import Outbox, OutboxError
from media_worker.control.prompts import Prompts
from media_worker.conversation.ticker import Ticker
from media_worker.desk import Desk
from media_worker.equipment import load_neural_vad, sip_config_of
from media_worker.host import HostError, Load, only_one, raise_file_limit
from media_worker.housekeeping import Housekeeping
from media_worker.listening import Listening
from media_worker.metrics import Metrics, WorkerStatus
from media_worker.metrics_server import MetricsError, MetricsServer
from media_worker.realtime.check import check_account
from media_worker.reception import Reception
from media_worker.recording.recordings import Recordings
from media_worker.sip.config import SipError
from media_worker.sip.endpoint import SipEndpoint

if TYPE_CHECKING:  # loaded only where browsers may call
    from media_worker.browser_calls import BrowserCalls

log = structlog.get_logger(__name__)

VERSION: Final = "0.1.0"
GOODBYE_SECONDS: Final = 8.0
"""For calls that were told to end: BYE, last words of the record."""
FLUSH_SECONDS: Final = 5.0
"""For the web side to acknowledge the last events; what it does not is sent at the next start."""


class WorkerError(Exception):
    """Why the worker cannot run, in words for the person who started it."""


class Worker:
    """`run` returns when the worker was told to stop and has done so."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._boot_id = str(uuid.uuid4())
        self._clock = Ticker()
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._stop_asked = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._apologies = Apologies(config.speech_folder, self._spawn)
        self._metrics = Metrics(version=VERSION)
        self._metrics_server: MetricsServer | None = None
        self._load = Load(self._metrics.late_frames)
        self._neural: NeuralVad | None = None
        self._housekeeping = Housekeeping(is_idle=lambda: not self._tasks)
        self._activity: VoiceActivity
        self._outbox: Outbox
        self._recordings: Recordings
        self._admission: Admission
        self._prompts: Prompts
        self._calls: Calls
        self._browser_calls: BrowserCalls | None = None
        self._desk: Desk
        self._chats: Chats
        self._listening: Listening
        self._link: Link
        self._endpoint: SipEndpoint

    async def run(self) -> None:
        """Raises WorkerError when it cannot start."""
        self._watch_signals()
        try:
            with only_one(self._config.folder / "lock"):
                await self._run()
        except HostError as error:
            raise WorkerError(str(error)) from None

    def stop(self) -> None:
        """Take no more calls and end when the last one is over; a second time: at once."""
        (self._stop_now if self._stop_asked.is_set() else self._stop_asked).set()

    async def _run(self) -> None:
        await self._start()
        linking = asyncio.create_task(self._link.run(), name="link")
        linking.add_done_callback(self._on_link_ended)
        try:
            await self._stop_asked.wait()
            await self._drain()
        finally:
            await self._end(linking)

    # --- start -----------------------------------------------------------------------------------

    async def _start(self) -> None:
        config = self._config
        raise_file_limit()
        self._serve_metrics()
        try:
            self._outbox = Outbox(config.folder / "outbox.sqlite3")
        except (OutboxError, OSError) as error:
            raise WorkerError(f"No outbox in {config.folder}: {error}") from None
        try:
            self._recordings = Recordings(config, self._emit)
        except OSError as error:
            raise WorkerError(f"No folder for recordings: {error}") from None
        self._emit("", WorkerStarted(boot_id=self._boot_id))
        self._open_desk()
        try:
            sip_config = sip_config_of(config)
        except SipError as error:
            raise WorkerError(f"The SIP side cannot be set up: {error}") from None
        await self._open_ears(config.clock_rate)
        if config.browser_calls:
            await self._open_browser_room()
        reception = Reception(
            self._calls,
            self._admission,
            clock=self._clock,
            metrics=self._metrics,
            activity=self._activity,
            spawn=self._spawn,
            capacity=lambda: self._endpoint.capacity,
            is_draining=lambda: self._draining,
        )
        self._endpoint = SipEndpoint(sip_config, reception.ring, reception.turned_away)
        self._clock.on_lag = self._metrics.ticked
        self._clock.start()
        try:
            await self._endpoint.start()
        except SipError as error:
            await self._recordings.close()
            await self._outbox.close()
            raise WorkerError(str(error)) from None
        self._metrics.watch(self._status, sip_build=self._endpoint.build)
        gc.collect()
        gc.freeze()  # what is here now stays: later collections need not look at it
        log.info(
            "worker.started",
            addresses=self._endpoint.addresses,
            capacity=self._endpoint.capacity,
            sip_build=self._endpoint.build,
        )

    def _open_desk(self) -> None:
        """Everything between the calls and the web side."""
        config = self._config
        self._admission = Admission(config.web_url, config.worker_token, self._outbox)
        self._prompts = Prompts(config.web_url, config.worker_token, config.folder / "prompts")
        self._calls = Calls(
            self._emit,
            clock=self._clock,
            metrics=self._metrics,
            apologies=self._apologies,
            prompts=self._prompts,
            recordings=self._recordings,
            on_change=lambda: self._link.beat(),
        )
        self._desk = Desk(self._calls, self._check)
        self._desk.take_on(DrainWorker, self._drain_on_command)
        self._chats = Chats(
            self._admission,
            self._emit,
            clock=self._clock,
            spawn=self._spawn,
            is_draining=lambda: self._draining,
        )
        self._chats.join(self._desk)
        self._link = Link(
            config.web_url,
            config.worker_token,
            self._outbox,
            hello=self._hello,
            heartbeat=self._heartbeat,
            on_command=self._desk.do,
            on_welcome=lambda welcome: self._set_draining(welcome.draining),
        )
        self._listening = Listening(
            self._calls,
            hear=self._link.hear,
            tell=lambda frame: self._spawn(self._tell(frame)),
        )
        self._listening.join(self._desk)

    async def _open_ears(self, clock_rate: int) -> None:
        self._neural = await load_neural_vad(clock_rate)
        self._activity = VoiceActivity(clock_rate, self._neural)
        self._clock.before(self._activity.listen, every_ms=LISTEN_MS)

    async def _open_browser_room(self) -> None:
        config = self._config
        rooms = await asyncio.to_thread(importlib.import_module, "media_worker.browser_calls")
        # Their own: one reader reads one kind of source.
        activity = VoiceActivity(config.clock_rate, self._neural)
        self._clock.before(activity.listen, every_ms=LISTEN_MS)
        self._browser_calls = rooms.open_room(
            config,
            self._calls,
            self._admission,
            clock=self._clock,
            activity=activity,
            spawn=self._spawn,
            tell=self._link.tell,
            is_draining=lambda: self._draining,
        )
        self._browser_calls.join(self._desk)

    def _serve_metrics(self) -> None:
        address, port = self._config.metrics_address, self._config.metrics_port
        if not port:
            return
        try:
            self._metrics_server = MetricsServer(self._metrics.registry, address, port)
        except MetricsError as error:
            raise WorkerError(str(error)) from None

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    # --- calls -----------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._housekeeping.call_ended())

    def _emit(self, call_id: str, event: AnyEvent) -> None:
        self._metrics.note(call_id, event)
        try:
            self._outbox.append(call_id, event)
        except OutboxError as error:
            log.error("worker.event_lost", event_type=type(event).__name__, error=str(error))

    # --- the link --------------------------------------------------------------------------------

    def _hello(self) -> Hello:
        return Hello(
            stream=self._outbox.stream,
            boot_id=self._boot_id,
            host=socket.gethostname(),
            version=VERSION,
            sip_build=self._endpoint.build,
            capacity=self._endpoint.capacity,
            addresses=self._endpoint.addresses,
            clock_rate=self._config.clock_rate,
            browser_calls=self._config.browser_calls,
            commands=(*self._desk.tags, USES_FALLBACK),
        )

    def _heartbeat(self) -> Heartbeat:
        self._load.measure()
        return Heartbeat(
            active_calls=len(self._calls),
            draining=self._draining,
            outbox_depth=self._outbox.depth,
            active_browser_calls=self._browser_calls.active if self._browser_calls else 0,
            cpu_percent=self._load.cpu_percent,
            memory_bytes=self._load.memory_bytes,
            late_frames=self._load.late_frames,
        )

    def _status(self) -> WorkerStatus:
        unsent, unsent_bytes = self._recordings.unsent()
        return WorkerStatus(
            calls=len(self._calls),
            capacity=self._endpoint.capacity,
            draining=self._draining,
            connected=self._link.connected.is_set(),
            outbox_depth=self._outbox.depth,
            outbox_oldest_at=self._outbox.oldest_at,
            late_ticks=self._clock.late_ticks,
            recordings_unsent=unsent,
            recordings_unsent_bytes=unsent_bytes,
        )

    async def _check(self, check_id: str) -> str:
        """Run an account check; what kept it from being run, in plain words, or nothing."""
        try:
            plan = await self._admission.check_plan(check_id)
        except AdmissionError as error:
            return error.detail
        if plan is None:
            return "This check is over."
        self._emit("", await check_account(plan))
        return ""

    def _on_link_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.critical("worker.link_failed", exc_info=task.exception())
            self.stop()

    async def _tell(self, frame: Frame) -> None:
        await self._link.tell(frame)

    async def _drain_on_command(self, command: DrainWorker) -> str:
        self._set_draining(command.draining)
        return ""

    def _set_draining(self, wanted: bool) -> None:
        """By the operator's word; calls that run go on, and it can be taken back."""
        if self._stop_asked.is_set() or wanted == self._draining:
            return
        self._draining = wanted
        log.info("worker.draining" if wanted else "worker.resumed", calls=len(self._calls))
        self._link.beat()

    # --- stop ------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        self._draining = True
        self._link.beat()
        log.info("worker.draining", calls=len(self._calls), seconds=self._config.drain_seconds)
        last_call = asyncio.create_task(self._until_no_call())
        told_again = asyncio.create_task(self._stop_now.wait())
        await asyncio.wait(
            {last_call, told_again},
            timeout=self._config.drain_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        last_call.cancel()
        told_again.cancel()

    async def _until_no_call(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _end(self, linking: asyncio.Task[None]) -> None:
        self._draining = True
        self._calls.hang_up_all(EndCause.WORKER_STOPPED)
        self._chats.hang_up_all(EndCause.WORKER_STOPPED)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=GOODBYE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._endpoint.stop()
        if self._browser_calls is not None:
            await self._browser_calls.close()
        await self._recordings.close()
        await self._hand_over_events()
        linking.cancel()
        await asyncio.gather(linking, return_exceptions=True)
        self._clock.stop()
        self._housekeeping.close()
        await self._admission.close()
        await self._prompts.close()
        await self._outbox.close()
        if self._metrics_server is not None:
            await asyncio.to_thread(self._metrics_server.close)
        log.info("worker.stopped", events_kept=self._outbox.depth)

    async def _hand_over_events(self) -> None:
        self._link.beat()
        await self._outbox.flush()
        if self._link.connected.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._outbox.emptied(), FLUSH_SECONDS)
