"""The API's own description: valid, complete, with examples that hold."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator

from tenants.api.v1.openapi import schema
from tenants.models.token import SCOPES


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return schema()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_is_valid_openapi_3_1(document: dict[str, Any]):
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_it_is_given_to_everybody_as_it_is(document: dict[str, Any]):
    answer = Client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.content) == document


def test_paths_begin_where_the_api_is(document: dict[str, Any]):
    assert all(path.startswith("/api/v1/") for path in document["paths"])


def test_every_document_has_examples_that_fit_it(document: dict[str, Any]):
    for name, found in document["components"]["schemas"].items():
        assert found.get("examples"), name
        whole = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        validator = jsonschema.Draft202012Validator(
            whole, format_checker=jsonschema.FormatChecker()
        )
        for example in found["examples"]:
            assert list(validator.iter_errors(example)) == [], name


def test_every_operation_says_all_that_it_may_answer(document: dict[str, Any]):
    for path, method, operation in operations(document):
        answers = set(operation["responses"])
        assert {"400", "401", "403", "404", "429", "500", "503"} <= answers, (method, path)
        assert any(status.startswith("2") for status in answers), (method, path)
        if method != "get":
            assert {"409", "422"} <= answers, (method, path)
        assert operation["description"], (method, path)
        assert operation["tags"], (method, path)
        assert {"Token": []} in operation["security"], (method, path)
        assert {"Session": []} in operation["security"], (method, path)


def test_every_operation_but_me_needs_a_scope_that_exists(document: dict[str, Any]):
    for _path, _method, operation in operations(document):
        name = operation["operationId"]
        assert operation["x-scope"] in SCOPES or name == "get_me"


def test_what_creates_takes_an_idempotency_key(document: dict[str, Any]):
    for path, method, operation in operations(document):
        keyed = {"$ref": "#/components/parameters/Idempotency-Key"} in operation["parameters"]
        if "201" in operation["responses"] or "202" in operation["responses"]:
            assert keyed == (method == "post"), (method, path)


def test_the_page_of_the_docs_names_every_operation(document: dict[str, Any], db: None):
    answer = Client().get("/api/v1/docs/")
    assert answer.status_code == 200
    shown = answer.content.decode()
    for path, method, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in shown
        assert f"<code>{path}</code>" in shown, (method, path)
    assert "<script" not in shown
    assert "urn:pbxai:problem:draft-changed" in shown
