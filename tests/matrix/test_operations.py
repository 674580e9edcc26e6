"""Every operation of the REST API, for everybody and every token."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tenants.api.v1 import door
from tenants.api.v1.openapi import schema
from tenants.api.v1.routes import NEEDS
from tenants.models import ApiToken, Tenant, User
from tenants.models.token import SCOPES
from tenants.services import identity, tokens
from tests.api.conftest import Api
from tests.matrix import collect
from tests.matrix.conftest import NOBODY, STAFF, STRANGER, undone
from tests.matrix.expected import OPERATIONS, WHEN_OFF
from tests.portal.addresses import RANKS

REFUSED = {401, 403}
Request = tuple[str, str, Any, bool]


def test_every_operation_has_a_row_and_asks_for_what_it_says() -> None:
    assert collect.operations() == set(OPERATIONS)
    for name, (scope, _role) in OPERATIONS.items():
        assert NEEDS[name].scope == scope, name


@pytest.fixture
def requests_(things: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Request]:
    """Method, address, document and whether the address names something of Acme's, of each
    operation.
    """
    monkeypatch.setattr(identity, "_try", lambda issuer: None)  # nobody is at the example's
    found = {}
    document = schema()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            address = path.removeprefix("/api/v1").format(**things)
            body = None
            if "requestBody" in operation:
                used = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                kind = used.removeprefix("#/components/schemas/")
                body = document["components"]["schemas"][kind]["examples"][0]
            found[operation["operationId"]] = (method.upper(), address, body, "{" in path)
    return found


@pytest.fixture
def token_of(acme: Tenant) -> Callable[..., str]:
    """A token of that person for those scopes, also for more than the person may."""

    def make(user: User, tenant: Tenant = acme, scopes: Any = SCOPES) -> str:
        row, text = tokens.create_token(
            tenant=tenant, user=user, name="test", scopes=["calls:read"], expires_at=None
        )
        ApiToken.all_tenants.filter(pk=row.pk).update(scopes=list(scopes))
        return text

    return make


def status_of(api: Api, request: Request) -> int:
    """What the example of the schema gets; nothing is left of what it did."""
    method, address, body, _names = request
    with undone():
        return int(api.ask(method, address, body).status_code)


def by_session(user: User | None) -> Api:
    client = Client()
    if user:
        client.force_login(user)
    return Api(client=client, **{"Pbxai-Tenant": "acme"})


def is_right(who: str, role: str, status: int, *, by_token: bool, names: bool) -> bool:
    if who == NOBODY:
        return status == 401
    if who == STAFF:
        return status == 404 if not by_token else status == 401
    if who == STRANGER:
        # By a session she asks for Acme; by a token she asks for her own tenant.
        if not by_token or names:
            return status == 404
        return status not in REFUSED
    if RANKS.index(who) < RANKS.index(role):
        return status == 403
    return status not in REFUSED | {404, 405, 500}


def test_every_operation_by_session(
    requests_: dict[str, Request],
    people: dict[str, User | None],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.API_REQUESTS_A_MINUTE = 100_000
    monkeypatch.setattr(door, "STRANGERS_A_MINUTE", 100_000)
    wrong = []
    for who, user in people.items():
        api = by_session(user)
        for name, (_scope, role) in OPERATIONS.items():
            status = status_of(api, requests_[name])
            if not is_right(who, role, status, by_token=False, names=requests_[name][3]):
                wrong.append((name, who, status))
    assert wrong == []


def test_every_operation_by_token(
    requests_: dict[str, Request],
    people: dict[str, User | None],
    birch: Tenant,
    token_of: Callable[..., str],
    settings: Any,
) -> None:
    settings.API_REQUESTS_A_MINUTE = 100_000
    wrong = []
    for who, user in people.items():
        if who in {NOBODY, STAFF}:
            continue  # the operator's people make no tokens: the service refuses
        assert user
        api = Api(token_of(user, birch) if who == STRANGER else token_of(user))
        for name, (_scope, role) in OPERATIONS.items():
            status = status_of(api, requests_[name])
            if not is_right(who, role, status, by_token=True, names=requests_[name][3]):
                wrong.append((name, who, status))
    assert wrong == []


def test_a_token_is_good_for_nothing_but_its_scopes(
    requests_: dict[str, Request],
    things: dict[str, Any],
    alice: User,
    token_of: Callable[..., str],
    settings: Any,
) -> None:
    settings.API_REQUESTS_A_MINUTE = 100_000
    api, wrong = Api(token_of(alice)), []
    token = ApiToken.all_tenants.filter(name="test")
    for name, (scope, _role) in OPERATIONS.items():
        area, _colon, level = scope.partition(":")
        enough = {scope, *([f"{area}:write", f"{area}:act"] if level == "read" else [])} - {""}
        for scopes, due in ((enough, False), (set(SCOPES) - enough, bool(scope))):
            token.update(scopes=sorted(scopes & set(SCOPES)))
            # The token of the example may read calls: more than a token that may not.
            refused = status_of(api, requests_[name]) == 403
            if refused != (due or name == "create_token"):
                wrong.append((name, scopes, refused))
    assert wrong == []


def test_the_operators_people_get_what_a_grant_says(
    requests_: dict[str, Request],
    sam: User,
    grant: Callable[[str], None],
    settings: Any,
) -> None:
    settings.API_REQUESTS_A_MINUTE = 100_000
    wrong = []
    for role in ("viewer", "admin"):
        grant(role)
        api = by_session(sam)
        for name, (_scope, least) in OPERATIONS.items():
            status = status_of(api, requests_[name])
            if not is_right(role, least, status, by_token=False, names=False):
                wrong.append((name, role, status))
    assert wrong == []


def test_a_tenant_that_is_switched_off_can_be_read_and_not_changed(
    requests_: dict[str, Request], acme: Tenant, alice: User, settings: Any
) -> None:
    settings.API_REQUESTS_A_MINUTE = 100_000
    acme.is_active = False
    acme.save()
    api = by_session(alice)
    for name, (_scope, role) in OPERATIONS.items():
        refused = status_of(api, requests_[name]) == 403
        assert refused == (role != "viewer" and name not in WHEN_OFF), name


def test_an_id_that_is_nobodys_is_404(
    requests_: dict[str, Request],
    things: dict[str, Any],
    alice: User,
    token_of: Callable[..., str],
) -> None:
    api = Api(token_of(alice))
    for name, (method, address, body, names) in requests_.items():
        for key, value in things.items():
            if key.endswith("_id"):
                address = address.replace(str(value), str(uuid.uuid4()))
        if names:
            assert status_of(api, (method, address, body, names)) == 404, name
