"""The REST API: its nouns, summed up."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from ninja import NinjaAPI

from tenants.api.problems import problem
from tenants.api.v1 import (
    accounts,
    agents,
    audit,
    call_files,
    calls,
    chats,
    commands,
    company,
    docs,
    drafts,
    exports,
    first_words,
    identity,
    marks,
    me,
    models,
    next_keys,
    numbers,
    openapi,
    people,
    recordings,
    revisions,
    settings,
    support,
    tokens,
    usage,
)
from tenants.api.v1.body import CarefulParser
from tenants.api.v1.door import through_door
from tenants.api.v1.errors import NOT_THERE, add_handlers

ROUTERS: Final = (
    me.router,
    agents.router,
    revisions.router,
    drafts.router,
    first_words.router,
    models.router,
    numbers.router,
    calls.router,
    call_files.router,
    commands.router,
    chats.router,
    marks.router,
    recordings.router,
    usage.router,
    audit.router,
    people.router,
    tokens.router,
    settings.router,
    accounts.router,
    next_keys.router,
    company.router,
    support.router,
    exports.router,
    identity.router,
)

api: Final = NinjaAPI(
    title="pbxai",
    version="1",
    description=openapi.DESCRIPTION,
    urls_namespace="api-v1",
    openapi_url=None,
    docs_url=None,
    parser=CarefulParser(),
)
add_handlers(api)
for router in ROUTERS:
    api.add_router("", router)


def _nothing_here(_request: HttpRequest) -> HttpResponse:
    return problem(HTTPStatus.NOT_FOUND, NOT_THERE)


def _operations() -> list[URLPattern]:
    return [
        URLPattern(one.pattern, through_door(one.callback), one.default_args, one.name)
        for one in api.urls[0]
        if isinstance(one, URLPattern) and one.name != "api-root"
    ]


app_name = "api-v1"
urlpatterns = [
    path("openapi.json", openapi.openapi_json, name="openapi"),
    path("docs/", docs.docs, name="docs"),
    *_operations(),
    re_path(r"", through_door(_nothing_here)),
]
