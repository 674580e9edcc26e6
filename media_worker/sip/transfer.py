"""What came of a REFER: the accepting answer, the NOTIFYs, or nothing in time (RFC 3515)."""

from __future__ import annotations

import asyncio

from media_worker.conversation.leg import TransferOutcome


class Transfer:
    """One blind transfer under way. On the event loop's thread."""

    def __init__(self) -> None:
        self._accepted = False
        self._done: asyncio.Future[TransferOutcome] = asyncio.get_running_loop().create_future()

    @staticmethod
    def refused(status: int, reason: str) -> TransferOutcome:
        return TransferOutcome(succeeded=False, sip_status=status, reason=reason)

    def note(self, status: int, reason: str, final: bool) -> None:
        """A response to the REFER, or the status line of a NOTIFY's sipfrag."""
        self._accepted = True
        if final:
            self._settle(
                TransferOutcome(succeeded=200 <= status < 300, sip_status=status, reason=reason)
            )

    def failed(self, status: int, reason: str) -> None:
        self._settle(self.refused(status, reason))

    def call_ended(self) -> None:
        """The caller's side hung up before it said how the transfer went; some do that."""
        if self._accepted:
            self.failed(202, "Accepted, but the call ended before its outcome was known.")
        else:
            self.failed(481, "The call ended before the transfer was accepted.")

    async def outcome(self, timeout_seconds: float) -> TransferOutcome:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._done
        except TimeoutError:
            return self.refused(408, "No outcome of the transfer came in time.")

    def _settle(self, outcome: TransferOutcome) -> None:
        if not self._done.done():
            self._done.set_result(outcome)
