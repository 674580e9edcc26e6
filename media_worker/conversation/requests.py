"""What is asked of a session, one after the other, so that an answer never overtakes a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from media_worker.realtime.session import RealtimeSession, SessionError

Request = Callable[[RealtimeSession], Awaitable[None]]


class Requests:
    """`put` never waits; `run` carries the requests out at one session after another."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Request] = asyncio.Queue()
        self._has_session = False
        self._under_way = False

    @property
    def has_session(self) -> bool:
        """Somebody carries out what is put."""
        return self._has_session

    @property
    def is_idle(self) -> bool:
        """Nothing is being asked, nor will be: what waits while there is no session is for none."""
        return not self._has_session or (self._queue.empty() and not self._under_way)

    def put(self, request: Request) -> None:
        self._queue.put_nowait(request)

    async def run(self, session: RealtimeSession) -> None:
        """Until the session is over. What it did not take is not for the next one."""
        self._has_session = True
        try:
            while True:
                request = await self._queue.get()
                self._under_way = True
                try:
                    await request(session)
                finally:
                    self._queue.task_done()
                self._under_way = False
        except SessionError:
            return  # the session's last event says why
        finally:
            self._has_session = self._under_way = False

    async def carried_out(self) -> None:
        """Return when all that was put so far has been asked of the session."""
        await self._queue.join()

    def clear(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
            self._queue.task_done()
