"""Provider accounts: keys go in and never come out."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import refused
from tenants.api.v1.pages import PageQuery, cut
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import NOT_BLANK
from tenants.api.v1.types import Id, Input, Instant, Output, example, example_input
from tenants.api.v1.words import AuthWord, CheckWord
from tenants.models import ProviderAccount
from tenants.services import accounts

router = Router(tags=["accounts"])

Name = Annotated[str, Field(max_length=100, pattern=NOT_BLANK)]
Url = Annotated[
    str,
    Field(
        max_length=500,
        pattern=r"^wss?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,4})?(/[!-\"$-~]*)?$",
        description="WebSocket address of the provider's realtime API, without the model.",
    ),
]
Secret = Annotated[
    str, Field(pattern="^[!-~]{1,4096}$", description="The key. It is never given out.")
]
_CHECK: dict[str, Any] = {
    "state": "ok",
    "kind": "",
    "message": "",
    "checked_at": "2026-11-22T10:00:00Z",
}
_ACCOUNT: dict[str, Any] = {
    "id": "e2b7a0d4-5c1b-4a7b-b7f8-2f6f6f6b9c11",
    "name": "Main",
    "url": "wss://api.openai.com/v1/realtime",
    "auth": "bearer",
    "is_own": True,
    "has_key": True,
    "key_ends_in": "a1b2",
    "check": _CHECK,
    "last_problem": "",
    "last_problem_at": None,
}


class Check(Output):
    model_config = example(_CHECK)
    state: CheckWord = Field(description="Empty: not checked since the key was set.")
    kind: str = Field(description="What is wrong, such as key_refused.")
    message: str
    checked_at: Instant | None


class Account(Output):
    model_config = example(_ACCOUNT)
    id: Id
    name: str
    url: str | None = Field(description="None: the operator's.")
    auth: AuthWord
    is_own: bool = Field(description="Else the operator's, offered to everybody.")
    has_key: bool
    key_ends_in: str
    check: Check
    last_problem: str
    last_problem_at: Instant | None


class AccountPage(Output):
    model_config = example({"items": [_ACCOUNT], "next_cursor": None})
    items: list[Account]
    next_cursor: str | None


class NewAccount(Input):
    model_config = example_input(
        {"name": "Main", "url": "wss://api.openai.com/v1/realtime", "secret": "sk-example-0001"}
    )
    name: Name
    url: Url = "wss://api.openai.com/v1/realtime"
    auth: AuthWord = "bearer"
    secret: Secret | None = None


class AccountChange(Input):
    model_config = example_input({"secret": "sk-example-0002"})
    name: Name | None = None
    url: Url | None = Field(None, description="Another host needs the key once more.")
    auth: AuthWord | None = None
    secret: Secret | None = None


def account_document(row: ProviderAccount) -> Account:
    is_own = row.tenant_id is not None
    return Account(
        id=row.public_id,
        name=row.name,
        url=row.url if is_own else None,
        auth=row.auth,
        is_own=is_own,
        has_key=bool(row.secret),
        key_ends_in=row.secret_hint if is_own else "",
        check=Check(
            state=row.check_state,
            kind=row.check_kind,
            message=row.check_message if is_own else "",
            checked_at=row.checked_at,
        ),
        last_problem=row.last_problem_kind,
        last_problem_at=row.last_problem_at,
    )


def find_account(account_id: UUID) -> ProviderAccount:
    """One of the tenant's own: the operator's can be used, not looked into."""
    rows = ProviderAccount.objects.select_related("tenant")
    return get_object_or_404(rows, public_id=account_id)


def _save(
    request: ApiRequest, row: ProviderAccount, document: NewAccount | AccountChange
) -> Account:
    for name in ("name", "url", "auth"):
        if getattr(document, name) is not None:
            setattr(row, name, getattr(document, name))
    accounts.save_account(account=row, user=request.auth.user, secret=document.secret)
    return account_document(find_account(row.public_id))


@route(router, "GET", "/accounts", scope="accounts:read", response=AccountPage, pages=True)
def list_accounts(request: ApiRequest, page: Annotated[PageQuery, Query()]) -> AccountPage:
    """The tenant's own accounts, and those that the operator offers."""
    rows = accounts.offered_accounts(request.auth.tenant)
    found, cursor = cut(rows, page, by=("name", "id"))
    return AccountPage(items=[account_document(row) for row in found], next_cursor=cursor)


@route(
    router,
    "POST",
    "/accounts",
    scope="accounts:write",
    response=Account,
    status=201,
    creates=True,
)
def create_account(request: ApiRequest, document: NewAccount) -> Account:
    """A new account; its key is encrypted at once."""
    return _save(request, ProviderAccount(tenant=request.auth.tenant), document)


@route(router, "GET", "/accounts/{uuid:account_id}", scope="accounts:read", response=Account)
def get_account(request: ApiRequest, account_id: UUID) -> Account:
    """One of the tenant's own accounts."""
    return account_document(find_account(account_id))


@route(router, "PATCH", "/accounts/{uuid:account_id}", scope="accounts:write", response=Account)
def change_account(request: ApiRequest, account_id: UUID, document: AccountChange) -> Account:
    """Change an account; fields that are left out stay, the key too."""
    return _save(request, find_account(account_id), document)


@route(
    router,
    "DELETE",
    "/accounts/{uuid:account_id}",
    scope="accounts:write",
    response=None,
    status=204,
)
def delete_account(request: ApiRequest, account_id: UUID) -> None:
    """Delete an account and its key; not while an agent, a revision or the settings use it."""
    accounts.delete_account(account=find_account(account_id), user=request.auth.user)


@route(
    router,
    "POST",
    "/accounts/{uuid:account_id}/check",
    scope="accounts:write",
    response=Account,
    status=202,
    creates=True,
)
def check_account(request: ApiRequest, account_id: UUID) -> Account:
    """Have a media worker try the key; `check` tells the outcome when it is there."""
    row = find_account(account_id)
    if not row.secret:
        raise refused("The account has no key yet.", pointer="#")
    return account_document(accounts.request_check(row, user=request.auth.user))
