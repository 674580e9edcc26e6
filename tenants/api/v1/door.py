"""The way into the REST API: a token or a session, one tenant, the right for it, not too often.

Everything of a request happens inside the tenant's scope, until its answer is made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django_scopes import scope
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from tenants import actor
from tenants.access import IDENTITY_KEY, SCOPE_RIGHTS, Right, get_tenant, may, token_may
from tenants.api.problems import problem
from tenants.api.v1.errors import Trouble, unknown_token
from tenants.models import ApiToken, IdempotencyKey, Member, Tenant, User
from tenants.services import idempotency, rates, tokens
from tenants.services.workers import bearer_token

TENANT_HEADER: Final = "Pbxai-Tenant"
KEY_HEADER: Final = "Idempotency-Key"
IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,128}")
STRANGERS_A_MINUTE: Final = 60
"""Requests of one address that get 401; further ones get 429."""


@dataclass(frozen=True, slots=True)
class Need:
    """What an operation asks for."""

    scope: str = ""
    """Of a token; empty: any token will do."""
    right: Right = "view"
    """Of the person, or of the person behind the token."""
    creates: bool = False
    """It takes an Idempotency-Key."""
    hides: tuple[str, ...] = ()
    """Fields of its answer that are shown once: they are not kept with the key."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and for which tenant."""

    tenant: Tenant
    member: Member
    token: ApiToken | None = None

    @property
    def user(self) -> User:
        return self.member.user

    @property
    def key(self) -> str:
        """Of rates and idempotency keys."""
        if self.token:
            return f"token:{self.token.public_id}"
        return f"user:{self.user.public_id}"

    def may(self, need: Need) -> bool:
        if self.token and need.scope and not token_may(self.token, need.scope):
            return False
        return may(self.member, need.right)


@dataclass(slots=True)
class Passage:
    """What is known of a request on its way through."""

    stack: ExitStack
    rate: rates.Rate | None = None
    kept: IdempotencyKey | None = None
    hides: tuple[str, ...] = ()


class ApiRequest(HttpRequest):
    """A request that came through the door; for annotations, the class is never made."""

    auth: Caller
    passage: Passage
    user: User


class _Replay(Trouble):
    """The answer that the same request got before."""

    def __init__(self, answer: idempotency.Answer) -> None:
        super().__init__(HTTPStatus(answer.status), "")
        self.document = answer.document

    def answer(self) -> HttpResponse:
        return HttpResponse(
            json.dumps(self.document),
            status=self.status.value,
            content_type="application/json; charset=utf-8",
            headers={"Idempotent-Replayed": "true"},
        )


class Token(AuthBase):
    """`Authorization: Bearer pbxt_...`; the token says which tenant."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "A token of the tenant, made in its settings; it begins with `pbxt_`."

    def __init__(self, need: Need) -> None:
        self.need = need
        super().__init__()

    def __call__(self, request: Any) -> Caller | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        token = tokens.authenticate(bearer_token(header))
        if token is None:
            raise unknown_token()
        member = (
            Member.all_tenants.select_related("tenant", "user")
            .filter(tenant_id=token.tenant_id, user_id=token.created_by_id)
            .first()
        )
        if member is None:
            raise unknown_token()
        wanted = request.headers.get(TENANT_HEADER)
        if wanted and wanted != member.tenant.slug:
            raise Http404
        actor.note(user=member.user, token=token)
        return let_in(request, Caller(member.tenant, member, token), self.need)


class Session(AuthBase):
    """The cookie of somebody who has signed in to the portal."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = settings.SESSION_COOKIE_NAME
    openapi_description = (
        "The session of the portal. Somebody in several tenants says which one by the header "
        f"`{TENANT_HEADER}`; what changes something needs the header `X-CSRFToken`."
    )

    def __init__(self, need: Need) -> None:
        self.need = need
        super().__init__()

    def __call__(self, request: Any) -> Caller | None:
        if not request.user.is_authenticated:
            return None
        if check_csrf(request):
            raise Trouble(HTTPStatus.FORBIDDEN, "The header X-CSRFToken is missing or wrong.")
        slug = request.headers.get(TENANT_HEADER) or _only_tenant(request.user)
        tenant, member = get_tenant(request.user, slug, only=request.session.get(IDENTITY_KEY))
        return let_in(request, Caller(tenant, member), self.need)


def _only_tenant(user: User) -> str:
    slugs = list(Member.all_tenants.filter(user=user).values_list("tenant__slug", flat=True)[:2])
    if len(slugs) == 2:
        detail = f"You are in several tenants: name one in the header {TENANT_HEADER}."
        errors = [{"detail": detail, "parameter": TENANT_HEADER}]
        raise Trouble(HTTPStatus.BAD_REQUEST, detail, code="tenant-needed", errors=errors)
    if not slugs:
        raise Http404
    return str(slugs[0])


def let_in(request: ApiRequest, caller: Caller, need: Need) -> Caller:
    """Count the request, ask for the right, enter the tenant's scope, claim the key."""
    passage = request.passage
    passage.rate = rates.take(caller.key, limit=settings.API_REQUESTS_A_MINUTE)
    if passage.rate.is_used_up:
        raise _too_many(passage.rate)
    if not caller.may(need):
        raise _not_allowed(caller, need)
    passage.stack.enter_context(scope(tenant=caller.tenant))
    if need.creates:
        _claim(request, caller, need)
    return caller


def _too_many(rate: rates.Rate) -> Trouble:
    return Trouble(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"More than {rate.limit} requests a minute.",
        code="rate",
        headers={"Retry-After": str(rate.resets_in)},
    )


def _not_allowed(caller: Caller, need: Need) -> Trouble:
    if caller.token and need.scope and not token_may(caller.token, need.scope):
        detail = f"The token needs the scope {need.scope}, and its maker the right to it."
        return Trouble(HTTPStatus.FORBIDDEN, detail, code="scope")
    detail = "Your role does not allow this, or the tenant is switched off."
    return Trouble(HTTPStatus.FORBIDDEN, detail)


def _claim(request: ApiRequest, caller: Caller, need: Need) -> None:
    # The draft of the header has it as a quoted string; most clients send it bare.
    key = request.headers.get(KEY_HEADER, "").strip('"')
    if KEY_HEADER not in request.headers:
        return
    if not IDEMPOTENCY_KEY.fullmatch(key):
        detail = "An idempotency key has 1 to 128 visible characters."
        errors = [{"detail": detail, "parameter": KEY_HEADER}]
        raise Trouble(HTTPStatus.BAD_REQUEST, detail, code="invalid", errors=errors)
    try:
        found = idempotency.begin(
            tenant=caller.tenant,
            actor=caller.key,
            key=key,
            route=f"{request.method} {request.path_info}"[:200],
            body=request.body,
        )
    except idempotency.KeyReused:
        detail = "This key was sent with another request before."
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        raise Trouble(status, detail, code="key-reused") from None
    except idempotency.KeyInFlight:
        detail = "A request with this key is being answered; ask again in a moment."
        headers = {"Retry-After": "1"}
        raise Trouble(HTTPStatus.CONFLICT, detail, code="key-in-flight", headers=headers) from None
    if isinstance(found, idempotency.Answer):
        raise _Replay(found)
    request.passage.kept, request.passage.hides = found, need.hides


def through_door(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """What stands around every address of the API."""

    @wraps(view)
    def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # The documents are for programs: always in one language.
        with ExitStack() as stack, translation.override("en"):
            request.passage = passage = Passage(stack)
            response = view(request, *args, **kwargs)
            _keep_answer(passage, response)
            return _with_headers(request, passage, _as_problem(request, response))

    wrapped.csrf_exempt = True  # type: ignore[attr-defined] # Session checks it
    return wrapped


def _as_problem(request: ApiRequest, response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = ", ".join(sorted(response.headers["Allow"].split(", ")))
        return problem(HTTPStatus.METHOD_NOT_ALLOWED, f"Use {allow}.", {"Allow": allow})
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return too_many_strangers() or response
    return response


def too_many_strangers() -> HttpResponse | None:
    """Count a request that nobody is behind; the answer to give when its address sends many."""
    rate = rates.take(f"stranger:{actor.current().address}", limit=STRANGERS_A_MINUTE)
    return _too_many(rate).answer() if rate.is_used_up else None


def _keep_answer(passage: Passage, response: HttpResponseBase) -> None:
    if passage.kept is None:
        return
    if not isinstance(response, HttpResponse) or response.status_code >= 300:
        idempotency.forget(passage.kept)
        return
    document = json.loads(response.content)
    shown = {name: None for name in passage.hides if name in document}
    idempotency.finish(passage.kept, status=response.status_code, document=document | shown)


def _with_headers(
    request: HttpRequest, passage: Passage, response: HttpResponseBase
) -> HttpResponseBase:
    """draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4."""
    if rate := passage.rate:
        window = rates.WINDOW_SECONDS
        response.headers["RateLimit-Policy"] = f'"default";q={rate.limit};w={window}'
        left = max(0, rate.remaining)
        response.headers["RateLimit"] = f'"default";r={left};t={rate.resets_in}'
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def default_right(scope_name: str) -> Right:
    return SCOPE_RIGHTS[scope_name] if scope_name else "view"
