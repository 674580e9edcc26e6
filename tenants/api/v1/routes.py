"""How an operation is declared: what it needs, and every answer that it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from ninja import Router

from tenants.access import SCOPE_RIGHTS, Right
from tenants.api.v1.door import KEY_HEADER, Need, Session, Token

View = TypeVar("View", bound=Callable[..., Any])

ALWAYS: Final = ("400", "401", "403", "404", "429", "500", "503")
WRITES: Final = ("409", "422")
NEEDS: Final[dict[str, Need]] = {}
"""Of each operation, by its id; the role matrix is made from it."""


def route(
    router: Router,
    method: str,
    path: str,
    *,
    response: Any,
    scope: str = "",
    right: Right | None = None,
    status: int = 200,
    creates: bool = False,
    hides: tuple[str, ...] = (),
    pages: bool = False,
    answers: dict[int, dict[str, Any]] | None = None,
) -> Callable[[View], View]:
    """Make a view an operation. `right` None: the one that the scope stands for; `response` None:
    the answer has no body, or is described by `answers`. `pages`: parameters may break a rule.
    """
    needed = right or (SCOPE_RIGHTS[scope] if scope else "view")
    need = Need(scope=scope, right=needed, creates=creates, hides=hides)

    def declare(view: View) -> View:
        name = view.__name__
        NEEDS[name] = need
        operation: View = router.api_operation(
            [method],
            path,
            auth=[Token(need), Session(need)],
            response={status: response},
            operation_id=name,
            summary=name.replace("_", " ").capitalize(),
            url_name=name,
            by_alias=True,
            openapi_extra=_described(need, writes=method != "GET" or pages, answers=answers or {}),
        )(view)
        return operation

    return declare


def _described(need: Need, *, writes: bool, answers: dict[int, dict[str, Any]]) -> dict[str, Any]:
    parameters = [{"$ref": "#/components/parameters/Tenant"}]
    if need.creates:
        parameters.append({"$ref": f"#/components/parameters/{KEY_HEADER}"})
    statuses = (*ALWAYS, *(WRITES if writes else ()))
    return {
        "parameters": parameters,
        "responses": {
            **{int(status): {"$ref": f"#/components/responses/{status}"} for status in statuses},
            **answers,
        },
        "x-scope": need.scope,
        "x-right": need.right,
    }
