"""Whatever goes wrong below /api/v1/ becomes a problem document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import structlog
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db import InterfaceError, OperationalError
from django.db.models import RestrictedError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.errors import ValidationError as SchemaError

from tenants.api.problems import problem
from tenants.services.calls import CallIsOver
from tenants.services.commands import WorkerTooOld
from tenants.services.members import LastOwner
from tenants.services.publishing import DraftConflict

log = structlog.get_logger(__name__)

NOT_THERE: Final = "There is nothing at this address, or it is not yours."
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="pbxai"'}
RETRY: Final = {"Retry-After": "5"}


class Trouble(Exception):  # noqa: N818 - an answer, not always an error of ours
    """An answer that is a problem document; see tenants.api.problems."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        code: str = "",
        errors: Iterable[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.code = status, detail, code
        self.errors, self.headers = list(errors), dict(headers or {})

    def answer(self) -> HttpResponse:
        return problem(self.status, self.detail, self.headers, code=self.code, errors=self.errors)


def refused(detail: str, *, pointer: str = "", parameter: str = "") -> Trouble:
    """422: it fits the schema, and yet a rule that the schema cannot say forbids it."""
    place = {"pointer": pointer} if pointer else {"parameter": parameter}
    return Trouble(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        detail,
        code="refused",
        errors=[{"detail": detail, **place}],
    )


def unknown_token() -> Trouble:
    detail = "The token is missing, wrong, run out or withdrawn."
    return Trouble(HTTPStatus.UNAUTHORIZED, detail, headers=CHALLENGE)


@contextmanager
def within(place: str, names: Collection[str]) -> Iterator[None]:
    """Fields of these names lie below `place` in the body, so pointers to them begin there."""
    try:
        yield
    except ValidationError as error:
        if not hasattr(error, "error_dict"):
            raise
        raise ValidationError(
            {
                f"{place}/{name}" if name in names else name: messages
                for name, messages in error.message_dict.items()
            }
        ) from None


def add_handlers(api: NinjaAPI) -> None:
    for kind, handler in _HANDLERS.items():
        api.add_exception_handler(kind, handler)


def _trouble(_request: HttpRequest, error: Any) -> HttpResponse:
    trouble: Trouble = error
    return trouble.answer()


def _schema(_request: HttpRequest, error: Any) -> HttpResponse:
    """What ninja would answer with 422: the request does not fit its schema."""
    errors = [_misfit(one) for one in error.errors]
    return problem(
        HTTPStatus.BAD_REQUEST, "See `errors` for what is wrong.", code="invalid", errors=errors
    )


def _misfit(one: dict[str, Any]) -> dict[str, str]:
    source, *place = one["loc"]
    if source == "body":
        # The first part is the name of the view's argument, which nobody outside knows.
        return {"detail": one["msg"], "pointer": pointer(place[1:])}
    return {"detail": one["msg"], "parameter": str(place[-1]) if place else ""}


def pointer(parts: Iterable[Any]) -> str:
    """RFC 6901 section 6: a JSON pointer as a URI fragment."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "#" + "".join(f"/{part}" for part in escaped)


def _validation(_request: HttpRequest, error: Any) -> HttpResponse:
    """What a service does not take."""
    found: ValidationError = error
    by_field: Mapping[str, list[str]] = (
        found.message_dict if hasattr(found, "error_dict") else {NON_FIELD_ERRORS: found.messages}
    )
    errors = [
        {"detail": message, "pointer": "#" if name == NON_FIELD_ERRORS else f"#/{name}"}
        for name, messages in by_field.items()
        for message in messages
    ]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        " ".join(dict.fromkeys(str(one["detail"]) for one in errors)),
        code="refused",
        errors=errors,
    )


def _http(_request: HttpRequest, error: Any) -> HttpResponse:
    """What ninja itself refuses: no sign-in, a body that is no JSON."""
    status = HTTPStatus(error.status_code)
    if status == HTTPStatus.UNAUTHORIZED:
        return unknown_token().answer()
    if isinstance(error.__cause__, Trouble):  # of the parser; ninja wraps whatever it raises
        return error.__cause__.answer()
    return problem(status, f"{error}.", code="invalid")


def _not_found(_request: HttpRequest, _error: Any) -> HttpResponse:
    return problem(HTTPStatus.NOT_FOUND, NOT_THERE)


def _forbidden(_request: HttpRequest, _error: Any) -> HttpResponse:
    detail = "Your role does not allow this, or the tenant is switched off."
    return problem(HTTPStatus.FORBIDDEN, detail)


def _restricted(_request: HttpRequest, _error: Any) -> HttpResponse:
    detail = "Something else uses it, so it stays."
    return problem(HTTPStatus.CONFLICT, detail, code="in-use")


def _draft(_request: HttpRequest, _error: Any) -> HttpResponse:
    detail = "Somebody else saved the draft meanwhile; nothing was changed. Read it and try again."
    return problem(HTTPStatus.CONFLICT, detail, code="draft-changed")


def _over(_request: HttpRequest, _error: Any) -> HttpResponse:
    detail = "The call has ended already, or its media worker is not connected."
    return problem(HTTPStatus.CONFLICT, detail, code="call-over")


def _last_owner(_request: HttpRequest, _error: Any) -> HttpResponse:
    detail = "This is the last owner. Make somebody else an owner first."
    return problem(HTTPStatus.CONFLICT, detail, code="last-owner")


def _too_old(_request: HttpRequest, _error: Any) -> HttpResponse:
    detail = "The call's media worker is of an older build that does not know this."
    return problem(HTTPStatus.CONFLICT, detail, code="worker-old")


def _database(request: HttpRequest, error: Any) -> HttpResponse:
    log.error("database_down", path=request.path, error=type(error).__name__)
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "The database cannot be used.", RETRY)


def _broken(request: HttpRequest, error: Any) -> HttpResponse:
    log.error("api_broken", path=request.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "This is our fault; it is in our log.")


_HANDLERS: Final[dict[type[Exception], Any]] = {
    Trouble: _trouble,
    SchemaError: _schema,
    ValidationError: _validation,
    LastOwner: _last_owner,
    HttpError: _http,
    Http404: _not_found,
    PermissionDenied: _forbidden,
    RestrictedError: _restricted,
    DraftConflict: _draft,
    CallIsOver: _over,
    WorkerTooOld: _too_old,
    OperationalError: _database,
    InterfaceError: _database,
    Exception: _broken,
}
