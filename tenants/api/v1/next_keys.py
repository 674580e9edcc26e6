"""Changing a provider account's key while calls go on: the next key, its check, the change."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from ninja import Router
from pydantic import Field

from tenants.api.v1.accounts import Account, Secret, account_document, find_account
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import Trouble, refused
from tenants.api.v1.routes import route
from tenants.api.v1.types import Id, Input, Output, example, example_input
from tenants.api.v1.words import CheckWord
from tenants.models import ProviderAccount
from tenants.models.choices import CheckState
from tenants.services import rotation

router = Router(tags=["accounts"])

PATH = "/accounts/{uuid:account_id}/next-key"
_NEXT: dict[str, Any] = {
    "account": "e2b7a0d4-5c1b-4a7b-b7f8-2f6f6f6b9c11",
    "has_key": True,
    "key_ends_in": "c3d4",
    "state": "ok",
    "message": "",
}


class NextKey(Output):
    model_config = example(_NEXT)
    account: Id
    has_key: bool = Field(description="False: no change is under way.")
    key_ends_in: str
    state: CheckWord = Field(description="ok: it can be used.")
    message: str


class NewNextKey(Input):
    model_config = example_input({"secret": "sk-example-0002"})
    secret: Secret


def _document(row: ProviderAccount) -> NextKey:
    state, message = row.next_check_state, row.next_check_message
    if rotation.is_overdue(row):
        state, message = CheckState.FAILED, "The media worker did not answer in time."
    return NextKey(
        account=row.public_id,
        has_key=bool(row.next_secret),
        key_ends_in=row.next_secret_hint,
        state=state,
        message=message,
    )


@route(router, "GET", PATH, scope="accounts:read", response=NextKey)
def get_next_key(request: ApiRequest, account_id: UUID) -> NextKey:
    """How far the change of the account's key is."""
    return _document(find_account(account_id))


@route(
    router,
    "POST",
    PATH,
    scope="accounts:write",
    response=NextKey,
    status=202,
    creates=True,
)
def give_next_key(request: ApiRequest, account_id: UUID, document: NewNextKey) -> NextKey:
    """Give the next key and have a media worker try it; calls use the old one until it is used."""
    row, user = find_account(account_id), request.auth.user
    if not row.secret:
        raise refused("The account has no key yet.", pointer="#")
    return _document(rotation.begin(account=row, secret=document.secret, user=user))


@route(
    router,
    "POST",
    PATH + "/check",
    scope="accounts:write",
    response=NextKey,
    status=202,
    creates=True,
)
def check_next_key(request: ApiRequest, account_id: UUID) -> NextKey:
    """Have a media worker try the next key once more."""
    return _document(rotation.request_check(account=find_account(account_id)))


@route(
    router,
    "POST",
    PATH + "/use",
    scope="accounts:write",
    response=Account,
    status=202,
    creates=True,
)
def use_next_key(request: ApiRequest, account_id: UUID) -> Account:
    """New calls use the next key from now on; those that run keep the old one."""
    try:
        row = rotation.change_over(account=find_account(account_id), user=request.auth.user)
    except rotation.NotChecked as error:
        detail = " ".join(error.messages)
        raise Trouble(HTTPStatus.CONFLICT, detail, code="not-checked") from None
    return account_document(row)


@route(router, "DELETE", PATH, scope="accounts:write", response=None, status=204)
def drop_next_key(request: ApiRequest, account_id: UUID) -> None:
    """Throw the next key away; the account keeps the one that it has."""
    rotation.cancel(account=find_account(account_id), user=request.auth.user)
