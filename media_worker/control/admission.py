"""Asks the web side what to do with a call, and knows what to do when it does not answer.

Each plan is kept in memory as the last known one of its called number. When the web side cannot be
reached, that plan answers new calls for `offline_seconds`; the outbox gets CallTaken first, so that
the call exists on the web side before its events. A refusal that the web side did not speak itself
is recorded as CallRefused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import structlog

from media_worker.contract import (
    ADMISSION_PATH,
    CHECK_PATH,
    MAX_FRAME_BYTES,
    PLAN_PATH,
    AccountCheckPlan,
    AdmissionRequest,
    CallPlan,
    CallRefused,
    CallTaken,
    Refusal,
    RefusalReason,
    decode_admission,
    decode_check_plan,
    encode,
)
from media_worker.control.outbox import Outbox

log = structlog.get_logger(__name__)
T = TypeVar("T")

TIMEOUT: Final = httpx.Timeout(3.0, connect=1.5)
"""A caller listens to ringing meanwhile; two attempts stay below the 8 s that people wait."""
MAX_KNOWN_PLANS: Final = 10_000
_PASSING: Final = frozenset({RefusalReason.TENANT_LIMIT, RefusalReason.INTERNAL_ERROR})
"""Refusals of this moment; every other one means that the number's last plan is no longer good."""


class AdmissionError(Exception):
    """The web side gave no plan. `reason` is what the refusal will say."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Admission:
    """The worker's HTTP side. Give `close()` its turn at the end."""

    def __init__(
        self,
        web_url: str,
        token: str,
        outbox: Outbox,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._outbox = outbox
        self._now = now
        self._plans: OrderedDict[str, tuple[float, CallPlan]] = OrderedDict()
        self._web_is_down = False
        self._client = httpx.AsyncClient(
            base_url=web_url,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,
        )

    async def admit(self, request: AdmissionRequest) -> CallPlan | Refusal:
        """A plan or a refusal for this call, whatever happens to the web side meanwhile."""
        try:
            verdict = await self._ask(request)
        except AdmissionError as error:
            return self._decide_alone(request, error)
        if isinstance(verdict, CallPlan):
            self._remember(request.called, verdict)
        elif verdict.reason not in _PASSING:
            self._plans.pop(request.called, None)
        return verdict

    def refuse(self, request: AdmissionRequest, reason: RefusalReason, detail: str = "") -> Refusal:
        """The worker's own refusal; recorded, since the web side does not know of the call."""
        event = CallRefused(request=request, reason=reason, detail=detail)
        self._outbox.append(request.call_key, event)
        return Refusal(call_id=request.call_key, reason=reason, detail=detail)

    async def check_plan(self, check_id: str) -> AccountCheckPlan | None:
        """The plan of an account check; None when it is over. Raises AdmissionError."""
        try:
            status, body = await self._post(CHECK_PATH.format(check_id=check_id), b"")
        except httpx.HTTPError as error:
            raise AdmissionError(RefusalReason.WEB_UNREACHABLE, type(error).__name__) from None
        if status == httpx.codes.NOT_FOUND:
            return None
        _raise_for_status(status)
        return _decoded(decode_check_plan, body)

    async def waiting_plan(self, call_id: str) -> CallPlan | Refusal | None:
        """The plan of a call that was begun in a browser; None when it does not wait any more.

        Raises AdmissionError.
        """
        try:
            status, body = await self._post(PLAN_PATH.format(call_id=quote(call_id, safe="")), b"")
        except httpx.HTTPError as error:
            raise AdmissionError(RefusalReason.WEB_UNREACHABLE, type(error).__name__) from None
        if status == httpx.codes.NOT_FOUND:
            return None
        _raise_for_status(status)
        verdict: CallPlan | Refusal = _decoded(decode_admission, body)
        return verdict

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, request: AdmissionRequest) -> CallPlan | Refusal:
        """One retry with the same `call_key`, unless the web side was down a moment ago."""
        body = encode(request)
        for is_last in (self._web_is_down, True):
            try:
                status, answer = await self._post(ADMISSION_PATH, body)
                _raise_for_status(status)
                verdict: CallPlan | Refusal = _decoded(decode_admission, answer)
            except httpx.HTTPError as error:
                # The class alone: the text of some of httpx's errors quotes the request.
                failure = AdmissionError(RefusalReason.WEB_UNREACHABLE, type(error).__name__)
            except AdmissionError as error:
                if error.reason is not RefusalReason.WEB_UNREACHABLE:
                    self._web_is_down = False
                    raise
                failure = error
            else:
                self._web_is_down = False
                return verdict
            if is_last:
                break
        self._web_is_down = True
        log.warning("admission.web_unreachable", why=failure.detail)
        raise failure

    async def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        async with self._client.stream("POST", path, content=body) as response:
            answer = bytearray()
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > MAX_FRAME_BYTES:
                    raise AdmissionError(RefusalReason.WEB_UNREACHABLE, "The answer was too long.")
            return response.status_code, bytes(answer)

    def _remember(self, called: str, plan: CallPlan) -> None:
        self._plans[called] = (self._now(), plan)
        self._plans.move_to_end(called)
        if len(self._plans) > MAX_KNOWN_PLANS:
            self._plans.popitem(last=False)

    def _decide_alone(self, request: AdmissionRequest, error: AdmissionError) -> CallPlan | Refusal:
        if error.reason is RefusalReason.WEB_UNREACHABLE:
            plan = self._last_known(request)
            if plan is not None:
                return plan
        else:
            log.error("admission.refused", reason=error.reason, detail=error.detail)
        return self.refuse(request, error.reason, error.detail)

    def _last_known(self, request: AdmissionRequest) -> CallPlan | None:
        known = self._plans.get(request.called)
        if known is None:
            return None
        learned_at, plan = known
        if self._now() - learned_at > plan.offline_seconds:
            return None
        taken = CallTaken(
            request=request,
            tenant_id=plan.tenant_id,
            number_id=plan.number_id,
            agent_id=plan.agent_id,
            revision=plan.revision,
        )
        self._outbox.append(request.call_key, taken)
        return msgspec.structs.replace(plan, call_id=request.call_key)


def _raise_for_status(status: int) -> None:
    if status == httpx.codes.OK:
        return
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise AdmissionError(
            RefusalReason.WORKER_TOKEN_REFUSED,
            "The web side refused this worker's token; see PBXAI_WORKER_TOKEN.",
        )
    if status in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
        raise AdmissionError(
            RefusalReason.INTERNAL_ERROR, f"The web side could not read the request ({status})."
        )
    raise AdmissionError(RefusalReason.WEB_UNREACHABLE, f"The web side answered {status}.")


def _decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise AdmissionError(
            RefusalReason.WEB_UNREACHABLE, "The answer was not of the contract."
        ) from None
