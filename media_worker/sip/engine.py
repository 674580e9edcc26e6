"""pjsua2 on a thread of its own: every call into the library is made there, others ask it to.

pjsua2 is one endpoint a process. Deadlocks and aborts are known where several Python threads call
in (pjproject #3125, #4694, #4793); here only `_main` does. Callbacks run on that thread too
(`mainThreadOnly`), except the frame callbacks of `port`, which run on pjmedia's.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import heapq
import logging
import queue
import threading
import traceback
from collections.abc import Awaitable, Callable
from itertools import count
from time import monotonic
from typing import Any, Final, TypeVar

import pjsua2 as pj

from media_worker.sip.config import ANY_ADDRESS, NOT_IN_EVERY_BUILD, SipConfig, SipError
from media_worker.sip.frames import FrameCopy
from media_worker.sip.library import c_library

logger = logging.getLogger(__name__)
pjsip_logger = logging.getLogger("media_worker.sip.pjsip")

T = TypeVar("T")
Job = Callable[[], None]

MOST_CALLS: Final = 65_535
"""Asked of pjsua, which silently takes as many as it was built for (PJSUA_MAX_CALLS)."""
POLL_MS: Final = 10
GOODBYE_SECONDS: Final = 3.0
"""How long a stop waits for the answers to its BYEs."""
STOP_SECONDS: Final = 10.0
"""After so long a stop gives the thread up; it holds no call any more."""
JITTER_LEAST_MS: Final = 20
"""One packet: on an even line each leaves the jitter buffer at the bridge's next tick. Given at
all, it lets the buffer wait for more once it ran empty on an uneven one (jbuf.c, `jb_prefetch`);
without, packets that overtake each other would be thrown away."""
JITTER_MOST_MS: Final = 200
"""So much it waits for at most; what the line holds up for longer it still grows by."""
PORT_TRIES: Final = 10
_LOG_LEVELS: Final = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO}


def guarded(method: Callable[..., None]) -> Callable[..., None]:
    """For pjsua2 callbacks: an exception that reached C++ would end the process."""

    @functools.wraps(method)
    def call(*args: Any) -> None:
        try:
            method(*args)
        except Exception:
            log_failure(method.__qualname__)

    return call


def log_failure(what: str) -> None:
    """The current exception as text: a log record that keeps it would keep pjsua2 objects alive."""
    logger.error("%s failed on the SIP thread\n%s", what, traceback.format_exc())


def reason_of(error: Exception) -> str:
    """What a pj.Error says; its str() is only an address."""
    return str(getattr(error, "reason", "") or error)


class _LogWriter(pj.LogWriter):
    """pjsip's own log lines into ours. Only whole lines, no message bodies below level 4."""

    @guarded
    def write(self, entry: Any) -> None:
        pjsip_logger.log(_LOG_LEVELS.get(entry.level, logging.DEBUG), "%s", entry.msg.rstrip())


class Engine:
    """The library's life: start, transports, codecs, jobs, stop.

    `before_start`, `setup`, `goodbye` (hang up everything) and `teardown` are the owner's steps, on
    the pjsip thread; `is_quiet` says when nothing is left to wait for after the goodbye.
    """

    _one_a_process: Final = threading.Lock()

    def __init__(self, config: SipConfig) -> None:
        self.config = config
        self.build = ""
        self.table_calls = 0
        """Places in the library's call table."""
        self.host = config.address
        """Where others reach us; the host's own address when we listen on all."""
        self.ports: dict[str, int] = {}
        """Port listened on, by transport: udp, tcp, tls."""
        self.copy: FrameCopy
        self.endpoint: Any = None
        self.before_start: Callable[[], None] = lambda: None
        self.setup: Callable[[], None] = lambda: None
        self.goodbye: Callable[[], None] = lambda: None
        self.is_quiet: Callable[[], bool] = lambda: True
        self.teardown: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Job]] = []
        self._timer_ids = count()
        self._stopping = False
        self._over = False
        self._thread: threading.Thread | None = None
        self._finished: asyncio.Future[None] | None = None

    # --- event loop's side -----------------------------------------------------------------------

    async def start(self) -> None:
        """Raises SipError with the reason in plain words, e.g. a port that is taken."""
        if not self._one_a_process.acquire(blocking=False):
            raise SipError("pjsua2 allows one SIP endpoint a process, and one is running.")
        self._loop = asyncio.get_running_loop()
        started: asyncio.Future[None] = self._loop.create_future()
        self._finished = self._loop.create_future()
        self._thread = threading.Thread(target=self._main, args=(started,), name="pjsip")
        self._thread.daemon = True  # a library that hangs must not keep the process
        self._thread.start()
        atexit.register(self._stop_at_exit)
        try:
            await started
        except SipError:
            await self._finished
            raise

    async def stop(self) -> None:
        """Say goodbye, then end the library; returns in bounded time. Safe to call twice."""
        if self._finished is None:
            return
        self._stopping = True
        done, _ = await asyncio.wait([self._finished], timeout=GOODBYE_SECONDS + STOP_SECONDS)
        if not done:
            logger.error("the SIP library did not stop in time; it is left behind")

    def _stop_at_exit(self) -> None:
        """The process ends without `stop`: the calls get their BYE all the same."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join(GOODBYE_SECONDS + STOP_SECONDS)

    @property
    def is_table_full(self) -> bool:
        """A call that is over keeps its place until our BYE is answered, or 32 s are over."""
        places: int = c_library().pjsua_call_get_count()
        return places >= self.table_calls

    def run(self, job: Callable[[], T]) -> Awaitable[T]:
        """Run on the pjsip thread; whatever goes wrong there comes back as SipError."""
        loop = self._running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def attempt() -> None:
            if self.endpoint is None:
                self.to_loop(_settle, future, None, SipError("The SIP endpoint is stopped."))
                return
            try:
                result = job()
            except (SipError, pj.Error) as error:
                complaint = reason_of(error)
            except Exception as error:
                log_failure("a job")
                complaint = f"{type(error).__name__}: {error}"
            else:
                self.to_loop(_settle, future, result, None)
                return
            # Only the words cross over: a traceback would carry pjsua2 objects to another thread,
            # where the garbage collector would destroy them.
            self.to_loop(_settle, future, None, SipError(complaint))

        self.post(attempt)
        if self._over:
            self._run_jobs()
        return future

    def post(self, job: Job) -> None:
        """Run on the pjsip thread, some time soon. From any thread."""
        self._jobs.put(job)

    # --- pjsip thread's side ---------------------------------------------------------------------

    def later(self, seconds: float, job: Job) -> None:
        heapq.heappush(self._timers, (monotonic() + seconds, next(self._timer_ids), job))

    def to_loop(self, function: Callable[..., None], *args: Any) -> None:
        """Call on the event loop's thread, in order. From any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._running_loop().call_soon_threadsafe(function, *args)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise SipError("The SIP endpoint is not started.")
        return self._loop

    def _main(self, started: asyncio.Future[None]) -> None:
        try:
            complaint = self._try_to_start()
            if complaint is None:
                self.to_loop(_settle, started, None, None)
                self._serve()
                self._say_goodbye()
            self._end_library()
            if complaint is not None:
                self.to_loop(_settle, started, None, SipError(complaint))
        except Exception:
            log_failure("everything")
        finally:
            self._over = True
            atexit.unregister(self._stop_at_exit)
            self._run_jobs()  # each says that the endpoint is stopped
            self._one_a_process.release()
            if self._finished is not None:
                self.to_loop(_settle, self._finished, None, None)

    def _try_to_start(self) -> str | None:
        """Why it did not; only the words, as an error's traceback would keep the library alive."""
        try:
            self._start_library()
            self.setup()
        except Exception as error:
            return reason_of(error)
        return None

    def _serve(self) -> None:
        while not self._stopping:
            self._turn()

    def _turn(self) -> None:
        self.endpoint.libHandleEvents(POLL_MS)
        self._run_jobs()
        now = monotonic()
        while self._timers and self._timers[0][0] <= now:
            self._attempt(heapq.heappop(self._timers)[2])

    def _run_jobs(self) -> None:
        with contextlib.suppress(queue.Empty):
            for _ in range(self._jobs.qsize()):
                self._attempt(self._jobs.get_nowait())

    @staticmethod
    def _attempt(job: Job) -> None:
        try:
            job()
        except Exception:
            log_failure(getattr(job, "__qualname__", "a job"))

    def _say_goodbye(self) -> None:
        self._attempt(self.goodbye)
        deadline = monotonic() + GOODBYE_SECONDS
        while not self.is_quiet() and monotonic() < deadline:
            self._turn()
        self._turn()

    def _start_library(self) -> None:
        c_library().pj_log_set_level(0)  # else libCreate writes to standard output
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        self.build = self.endpoint.libVersion().full
        self.endpoint.libInit(self._library_config())
        self.table_calls = c_library().pjsua_call_get_max_count()
        self.copy = FrameCopy()
        self._open_transports()
        self.endpoint.audDevManager().setNullDev()
        self._choose_codecs()
        self.before_start()
        self.endpoint.libStart()
        logger.info(
            "SIP build %s, %s calls, frame copy %s", self.build, self.table_calls, self.copy.name
        )

    def _library_config(self) -> Any:
        config, settings = self.config, pj.EpConfig()
        agent = settings.uaConfig
        agent.maxCalls = MOST_CALLS
        agent.threadCnt, agent.mainThreadOnly = 0, True
        agent.userAgent = config.user_agent
        media = settings.medConfig
        media.clockRate = media.sndClockRate = config.clock_rate
        media.channelCount, media.audioFramePtime, media.ptime = 1, 20, 20
        media.noVad, media.ecTailLen = True, 0
        # The bridge's clock also carries out its additions and removals: never stop it when idle.
        media.sndAutoCloseTime = -1
        media.jbInit = media.jbMinPre = JITTER_LEAST_MS
        media.jbMaxPre = JITTER_MOST_MS
        log = settings.logConfig
        log.level, log.consoleLevel, log.msgLogging = config.log_level, 0, config.log_level >= 4
        log.decor = 0
        # libDestroy deletes it: from here on it is the library's
        log.writer = _LogWriter().__disown__()
        return settings

    def _open_transports(self) -> None:
        config = self.config
        self._open_udp_and_tcp()
        if config.tls_port or config.dials_tls:
            settings = pj.TransportConfig()
            tls = settings.tlsConfig
            if config.tls_port:
                tls.certFile, tls.privKeyFile = str(config.tls_certificate), str(config.tls_key)
            modern = ("PJ_SSL_SOCK_PROTO_TLS1_2", "PJ_SSL_SOCK_PROTO_TLS1_3")
            tls.proto = functools.reduce(lambda bits, n: bits | getattr(pj, n, 0), modern, 0)
            self._open_transport("tls", pj.PJSIP_TRANSPORT_TLS, config.tls_port, settings)

    def _open_udp_and_tcp(self) -> None:
        """On one port. Where the system chooses UDP's, TCP's may be taken: it chooses again."""
        tries = 1 if self.config.port else PORT_TRIES
        for again in reversed(range(tries)):
            udp = self._open_transport("udp", pj.PJSIP_TRANSPORT_UDP, self.config.port)
            try:
                self._open_transport("tcp", pj.PJSIP_TRANSPORT_TCP, self.ports["udp"])
                return
            except SipError:
                if not again:
                    raise
                self.endpoint.transportClose(udp)

    def _open_transport(self, name: str, kind: int, port: int, settings: Any | None = None) -> int:
        """Number of the transport, for the library."""
        config, settings = self.config, settings or pj.TransportConfig()
        settings.port = port
        if config.address != ANY_ADDRESS:
            settings.boundAddress = config.address
        settings.publicAddress = config.public_address
        try:
            transport = self.endpoint.transportCreate(kind, settings)
            info = self.endpoint.transportGetInfo(transport)
            address, name_of_ours = info.localAddress, info.localName
        except pj.Error as error:
            where = f"{name.upper()} port {port} of {config.address}"
            raise SipError(f"Cannot listen on {where}: {reason_of(error)}") from None
        if config.address == ANY_ADDRESS:
            self.host = name_of_ours.rpartition(":")[0]
        self.ports[name] = int(address.rpartition(":")[2])
        return int(transport)

    def _choose_codecs(self) -> None:
        config = self.config
        wanted = [name.lower() for name in config.codec_names]
        known = list(self.endpoint.codecEnum2())
        for info in known:
            name = info.codecId.partition("/")[0].lower()
            priority = 255 - wanted.index(name) if name in wanted else 0
            self.endpoint.codecSetPriority(info.codecId, priority)
        names = {info.codecId.partition("/")[0].lower() for info in known}
        absent = set(wanted) - names
        missing = [name for name in config.codec_names if name.lower() in absent]
        if not config.codecs:
            missing = [name for name in missing if name.lower() not in NOT_IN_EVERY_BUILD]
        if missing:
            raise SipError(f"This SIP build has no codec {', '.join(missing)}.")
        if "opus" in wanted and "opus" in names:  # at the bridge's rate: nothing is resampled
            opus = self.endpoint.getCodecOpusConfig()
            opus.sample_rate, opus.channel_cnt = config.clock_rate, 1
            self.endpoint.setCodecOpusConfig(opus)

    def _end_library(self) -> None:
        if self.endpoint is None:
            return
        self._attempt(self.teardown)
        self._timers.clear()
        try:
            self.endpoint.libDestroy(pj.PJSUA_DESTROY_NO_RX_MSG)
        except pj.Error as error:
            logger.error("the SIP library did not end well: %s", reason_of(error))
        self.endpoint = None


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
