"""What media workers ask over HTTP; `media_worker/contract.py` is the description.

400 malformed, 401 token refused, 404 no such check or call, 405, 409, 413 too large, 503 the
database or the storage is down; each as an RFC 9457 problem document.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Concatenate, Final, ParamSpec

import msgspec
import structlog
from botocore.exceptions import BotoCoreError, ClientError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from media_worker import contract
from tenants.api.problems import problem
from tenants.models import Worker
from tenants.services import accounts, admission, recordings, workers

log = structlog.get_logger(__name__)

JSON: Final = "application/json"
RETRY: Final = {"Retry-After": str(contract.RETRY_AFTER_SECONDS)}
P = ParamSpec("P")


def for_workers(
    method: str,
) -> Callable[
    [Callable[Concatenate[HttpRequest, Worker, P], HttpResponse]], Callable[..., HttpResponse]
]:
    """That method, with a worker's token only; a database that is down is 503, no traceback."""

    def decorate(
        view: Callable[Concatenate[HttpRequest, Worker, P], HttpResponse],
    ) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @wraps(view)
        def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method != method:
                detail = f"Use {method}."
                return problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": method})
            try:
                worker = workers.authenticate(
                    workers.bearer_token(request.headers.get("Authorization", ""))
                )
                if worker is None:
                    return _refuse_token(request)
                return view(request, worker, *args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                log.error("database_down", path=request.path, error=type(error).__name__)
                detail = "The database cannot be used."
                return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, RETRY)

        return wrapped

    return decorate


def _refuse_token(request: HttpRequest) -> HttpResponse:
    workers.note_refused(source=request.META.get("REMOTE_ADDR", ""), path=request.path)
    return problem(
        HTTPStatus.UNAUTHORIZED,
        "The worker's token is missing, wrong, or switched off.",
        {"WWW-Authenticate": "Bearer"},
    )


@for_workers("POST")
def admit_call(request: HttpRequest, worker: Worker) -> HttpResponse:
    """An INVITE came in: a plan for it, or a refusal with its reason."""
    body = request.read(contract.MAX_FRAME_BYTES + 1)
    if len(body) > contract.MAX_FRAME_BYTES:
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The document is too large.")
    try:
        call = contract.decode_admission_request(body)
    except msgspec.MsgspecError as error:
        return problem(HTTPStatus.BAD_REQUEST, f"Not an AdmissionRequest: {error}")
    # A call is a sign of life, also while the link is down.
    Worker.objects.filter(pk=worker.pk).update(last_seen_at=timezone.now())
    try:
        return _answer(admission.admit(worker=worker, request=call))
    except admission.CallKeyTaken as error:
        return problem(HTTPStatus.BAD_REQUEST, str(error))


@for_workers("POST")
def pull_plan(request: HttpRequest, worker: Worker, call_id: uuid.UUID) -> HttpResponse:
    """The plan of a call that somebody began from a browser, for the worker that was asked."""
    plan = admission.plan_for(worker=worker, call_id=call_id)
    if plan is None:
        return problem(HTTPStatus.NOT_FOUND, "There is no such call, or it does not ring.")
    return _answer(plan)


@for_workers("POST")
def pull_check(request: HttpRequest, worker: Worker, check_id: uuid.UUID) -> HttpResponse:
    """A check of a provider account, to be run by this worker now."""
    plan = accounts.check_plan(check_id)
    if plan is None:
        return problem(HTTPStatus.NOT_FOUND, "The check is over.")
    return _answer(plan)


@for_workers("PUT")
def put_recording(request: HttpRequest, worker: Worker, call_id: uuid.UUID) -> HttpResponse:
    """The recording of a call that is over; see the contract."""
    try:
        announced = int(request.headers.get("Content-Length") or 0)
        duration_ms = int(request.GET["duration_ms"])
        offset_ms = int(request.GET["offset_ms"])
        sha256 = request.GET["sha256"]
    except (KeyError, ValueError):
        detail = "duration_ms, offset_ms or sha256 is missing, or no number."
        return problem(HTTPStatus.BAD_REQUEST, detail)
    if announced > contract.MAX_RECORDING_BYTES:
        return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The recording is too large.")
    try:
        is_new = recordings.store(
            worker=worker,
            call_id=call_id,
            body=request,
            sha256=sha256,
            duration_ms=duration_ms,
            offset_ms=offset_ms,
        )
    except recordings.RecordingError as error:
        return problem(_STATUS.get(type(error), HTTPStatus.BAD_REQUEST), str(error))
    except (OSError, BotoCoreError, ClientError) as error:
        log.error("storage_down", path=request.path, error=f"{type(error).__name__}: {error}")
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "The storage cannot be used.", RETRY)
    return HttpResponse(status=HTTPStatus.CREATED if is_new else HTTPStatus.OK)


_STATUS: Final[dict[type[recordings.RecordingError], HTTPStatus]] = {
    recordings.NotRecorded: HTTPStatus.NOT_FOUND,
    recordings.AnotherIsStored: HTTPStatus.CONFLICT,
    recordings.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


def _answer(document: msgspec.Struct) -> HttpResponse:
    # The document may hold a key.
    return HttpResponse(
        contract.encode(document), content_type=JSON, headers={"Cache-Control": "no-store"}
    )
