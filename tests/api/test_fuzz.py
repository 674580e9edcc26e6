"""schemathesis against the API's own schema: whatever fits it is answered as it says, and whatever
does not fit is refused.

`make api-fuzz` tries many more documents than a run of all tests does, and others each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, Final

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from tenants.api.v1 import openapi
from tenants.models import Tenant, User
from tenants.services import identity
from tests.matrix.conftest import undone

EXAMPLES: Final = int(os.environ.get("API_FUZZ_EXAMPLES", "5"))
"""Of each operation, of each kind."""
NOT_JSON: Final = {
    "get_recording",
    "get_export_file",
    "export_calls",
    "get_prompt_sound",
    "stream_events",
}
"""Their answers are files, or do not end; other tests open them."""
RULES: Final = {
    # What a schema cannot say, so that a document that fits it may be refused for it (422): names
    # that are taken, ids of what is not there, times in the past, values that exclude each other.
    "name",
    "number",
    "agent",
    "issuer",
    "domains",
    "email",
    "url",
    "secret",
    "scopes",
    "expires_at",
    "cursor",
    "since",
    "provider_account",
    "fallback_account",
    "fallback_target",
    "opening_hours",
    "time_zone",
    "transfer_targets",
    "session_extra",
    "audio_format",
    "local_vad",
    "chunk_ms",
}
CONFIG: Final = SchemathesisConfig.from_dict(
    {
        # PostgreSQL cannot store NUL, and a schema cannot forbid it everywhere.
        "generation": {"allow-x00": False},
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "422"]}},
    }
)


@pytest.fixture
def application(db: None) -> Iterator[Any]:
    """The whole application, which leaves the test its connection as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def operations(application: Any) -> list[Any]:
    document = deepcopy(openapi.schema())
    for operation in [one for path in document["paths"].values() for one in path.values()]:
        # Who asks, and for whom, is the test's own; wrong headers: test_door.py and tests/matrix.
        operation.pop("security")
        operation["parameters"] = [one for one in operation["parameters"] if "$ref" not in one]
    schema = schemathesis.openapi.from_dict(document, config=CONFIG)
    schema.app = application
    found = [result.ok() for result in schema.get_all_operations()]
    return [one for one in found if one.definition.raw["operationId"] not in NOT_JSON]


@pytest.fixture
def headers(api_of: Callable[..., Any], alice: User, acme: Tenant, request: Any) -> dict[str, str]:
    # Whether something is at an issuer's address: tests/portal/test_identity.py.
    request.getfixturevalue("monkeypatch").setattr(identity, "_try", lambda issuer: None)
    request.getfixturevalue("settings").API_REQUESTS_A_MINUTE = 10_000_000
    return dict(api_of(alice, acme).headers)


@pytest.fixture
def ids(call: Any, number: Any, account: Any, settings_things: dict[str, Any]) -> dict[str, Any]:
    """Of things that are there: ids that are made up get 404, and nothing behind it is tried."""
    return {
        "call_id": str(call.public_id),
        "agent_id": str(call.agent.public_id),
        "number": 1,
        "number_id": str(number.public_id),
        "account_id": str(account.public_id),
        **{name: str(value) for name, value in settings_things.items()},
    }


def fuzz(operation: Any, mode: GenerationMode, headers: dict[str, str], ids: Any) -> None:
    names = {one.name for one in operation.path_parameters} & set(ids)
    fixed = {name: ids[name] for name in names} or None

    @settings(
        max_examples=EXAMPLES,
        derandomize="API_FUZZ_EXAMPLES" not in os.environ,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(case=operation.as_strategy(generation_mode=mode, path_parameters=fixed))
    def ask(case: Any) -> None:
        with undone():
            answer = case.call_and_validate(headers=headers)
        if mode.is_positive and answer.status_code == 422:
            places = {
                str(error.get("pointer") or error.get("parameter"))
                for error in answer.json()["errors"]
            }
            beyond = {place for place in places if not set(place.split("/")) & RULES}
            assert beyond <= {"#"}, (operation.label, case.body, answer.json())

    ask()


def test_whatever_fits_the_schema_is_answered_as_it_says(
    operations: list[Any], headers: dict[str, str], ids: dict[str, Any]
) -> None:
    assert len(operations) > 40
    for operation in operations:
        fuzz(operation, GenerationMode.POSITIVE, headers, ids)


def test_whatever_does_not_fit_is_refused(
    operations: list[Any], headers: dict[str, str], ids: dict[str, Any]
) -> None:
    for operation in operations:
        if operation.body or operation.query:
            fuzz(operation, GenerationMode.NEGATIVE, headers, ids)
