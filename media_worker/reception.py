"""Calls that ring at the worker: admitted and held, or refused, or turned away."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import structlog

from media_worker.audio.activity import VoiceActivity
from media_worker.calls import Calls
from media_worker.contract import (
    RETRY_AFTER_SECONDS,
    SIP_STATUS,
    AdmissionRequest,
    CallPlan,
    Refusal,
    RefusalReason,
)
from media_worker.control.admission import Admission
from media_worker.conversation.ticker import Ticker
from media_worker.invites import Allowance, request_of
from media_worker.metrics import Metrics
from media_worker.sip.endpoint import IncomingCall, Invite
from media_worker.variables import filled

log = structlog.get_logger(__name__)

TURNED_AWAY_A_MINUTE: Final = 60
"""Calls beyond the capacity that are put on record; a flood of them is only counted."""


class Reception:
    """`spawn` lets a call be held beside the others; `activity` listens to who calls."""

    def __init__(
        self,
        calls: Calls,
        admission: Admission,
        *,
        clock: Ticker,
        metrics: Metrics,
        activity: VoiceActivity,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        capacity: Callable[[], int],
        is_draining: Callable[[], bool],
    ) -> None:
        self._calls = calls
        self._admission = admission
        self._clock = clock
        self._metrics = metrics
        self._activity = activity
        self._spawn = spawn
        self._capacity = capacity
        self._is_draining = is_draining
        self._taken = 0
        self._turned_away = Allowance(TURNED_AWAY_A_MINUTE)

    def ring(self, call: IncomingCall) -> None:
        self._spawn(self._take(call))

    def turned_away(self, invite: Invite | None) -> None:
        """A call beyond the capacity; the endpoint has answered it 503 already."""
        self._metrics.refused(RefusalReason.WORKER_FULL)
        if invite is None or not self._turned_away.take():
            log.warning("worker.turned_away", recorded=False)
            return
        self._admission.refuse(request_of(invite), RefusalReason.WORKER_FULL)

    async def _take(self, call: IncomingCall) -> None:
        request = request_of(call)
        rang_at = self._clock.now()
        structlog.contextvars.bind_contextvars(call=request.call_key)
        self._taken += 1
        try:
            verdict = await self._admit(request)
            if isinstance(verdict, Refusal):
                self._metrics.refused(verdict.reason)
                await self._refuse(call, verdict)
            else:
                self._metrics.admitted()
                plan = filled(verdict, request)
                await self._calls.hold(call.leg, plan, self._activity, rang_at)
        except Exception:
            log.exception("worker.call_failed")
            with suppress(Exception):
                await call.leg.hang_up(SIP_STATUS[RefusalReason.INTERNAL_ERROR])
        finally:
            self._taken -= 1

    async def _admit(self, request: AdmissionRequest) -> CallPlan | Refusal:
        if self._is_draining():
            return self._admission.refuse(request, RefusalReason.WORKER_DRAINING)
        if self._taken > self._capacity():
            return self._admission.refuse(request, RefusalReason.WORKER_FULL)
        return await self._admission.admit(request)

    async def _refuse(self, call: IncomingCall, refusal: Refusal) -> None:
        status = SIP_STATUS[refusal.reason]
        log.info("call.refused", reason=refusal.reason, status=status)
        await call.refuse(status, RETRY_AFTER_SECONDS if status == 503 else None)
