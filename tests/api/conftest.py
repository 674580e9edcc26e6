"""What the tests of the REST API share: clients with a token, calls of Acme."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tenants.models import Tenant, User
from tenants.models.token import SCOPES
from tenants.services.tokens import create_token
from tests.portal.conftest import call, keep_recording, make_call, running, settings_things

__all__ = ["call", "keep_recording", "make_call", "running", "settings_things"]


class Api:
    """A client that shows a token, speaks JSON, and checks CSRF as a browser's server does."""

    def __init__(self, token: str = "", client: Client | None = None, **headers: str) -> None:
        self.client = client or Client(enforce_csrf_checks=True, raise_request_exception=False)
        self.headers = headers | ({"Authorization": f"Bearer {token}"} if token else {})

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else body if isinstance(body, bytes) else json.dumps(body),
            content_type="application/json",
            headers=self.headers | {name.replace("_", "-"): v for name, v in headers.items()},
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ask("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ask("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.ask("DELETE", path, **headers)


@pytest.fixture
def api_of() -> Callable[..., Api]:
    """A client with a token of that person in that tenant, for these scopes or all."""

    def make(user: User, tenant: Tenant, *scopes: str) -> Api:
        _row, text = create_token(
            tenant=tenant, user=user, name="test", scopes=scopes or SCOPES, expires_at=None
        )
        return Api(text)

    return make


@pytest.fixture
def api(api_of: Callable[..., Api], alice: User, acme: Tenant) -> Api:
    """Alice's, who owns Acme, for everything."""
    return api_of(alice, acme)


def problem_of(response: Any, status: int, code: str = "") -> dict[str, Any]:
    """The problem document, which must be one of this kind."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == (f"urn:pbxai:problem:{code}" if code else "about:blank")
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document
