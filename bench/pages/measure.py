"""Each page over HTTP against daphne, some rounds, and the queries behind it with their plans."""

from __future__ import annotations

import http.client
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bench.pages import words
from bench.pages.make_data import EMAIL
from tenants.models import (
    Agent,
    Call,
    Member,
    Number,
    ProviderAccount,
    ProviderModel,
    Tenant,
    User,
    Worker,
)
from tests.console import addresses as console
from tests.portal import addresses as portal

SLOW_QUERY_S: Final = 0.020
GOAL_MS: Final = 150.0
MOST_QUERIES: Final = 20
CPU_RUNS: Final = 5
DEEP: Final = 100
"""Pages into the list of calls."""


@dataclass
class Measured:
    """A page: times in ms over HTTP, CPU times, queries, and plans of those that were slow."""

    name: str
    path: str
    status: int = 0
    times_ms: list[float] = field(default_factory=list)
    queries: int = 0
    web_ms: float = 0.0
    """CPU time, as `database_ms`: however busy the machine is."""
    database_ms: float = 0.0
    plans: list[str] = field(default_factory=list)

    @property
    def p50(self) -> float:
        return statistics.median(self.times_ms)

    @property
    def p95(self) -> float:
        ordered = sorted(self.times_ms)
        return ordered[math.ceil(0.95 * len(ordered)) - 1]

    @property
    def holds(self) -> bool:
        fine = {HTTPStatus.OK, HTTPStatus.FOUND}
        return self.status in fine and self.p95 <= GOAL_MS and self.queries <= MOST_QUERIES


def pages() -> list[Measured]:
    """Every page of the tables that can be named with what is there, and hard searches."""
    tenant = Tenant.objects.get(slug="t0")
    things = _things(tenant)
    found = [
        Measured(f"portal:{page.name}", portal.url_of(page, things, tenant.slug))
        for page in portal.PAGES
        if page.get and page.is_html and set(page.takes) <= set(things)
    ]
    found += [
        Measured(f"console:{page.name}", console.url_of(page, things))
        for page in console.PAGES
        if page.get and set(page.takes) <= set(things)
    ]
    return [*found, *_searches(tenant, things), *_narrowed(tenant)]


def left_out() -> list[str]:
    """Pages that nothing made up can be shown on."""
    things = set(_things(Tenant.objects.get(slug="t0")))
    tables: dict[str, Any] = {"portal": portal.PAGES, "console": console.PAGES}
    return [
        f"{door}:{page.name}"
        for door, table in tables.items()
        for page in table
        if page.get and not set(page.takes) <= things
    ]


def _things(tenant: Tenant) -> dict[str, Any]:
    """Ids of the tenant, by the name of the URL's argument."""
    middle = Call.all_tenants.filter(tenant=tenant, state="ended")[1000:1001] or [
        Call.all_tenants.filter(tenant=tenant, state="ended")[0]
    ]
    agent = Agent.all_tenants.filter(tenant=tenant)[0]
    return {
        "call_id": middle[0].public_id,
        "agent_id": agent.public_id,
        "number": 1,
        "number_id": Number.all_tenants.filter(tenant=tenant)[0].public_id,
        "account_id": ProviderAccount.all_tenants.filter(tenant=tenant)[0].public_id,
        "member_id": Member.all_tenants.filter(tenant=tenant)[0].public_id,
        "tenant_id": tenant.public_id,
        "model_id": ProviderModel.objects.order_by("pk")[0].pk,
        "worker_id": Worker.objects.order_by("pk")[0].public_id,
        "slug": tenant.slug,
    }


def _searches(tenant: Tenant, things: dict[str, Any]) -> Iterator[Measured]:
    """The list of calls narrowed in each way, searches for frequent and rare words."""
    calls = reverse("portal:calls", kwargs={"slug": tenant.slug})
    asked = {
        "common word": {"q": words.COMMON},
        "rare word": {"q": words.RARE},
        "word that nobody says": {"q": "xylophon"},
        "common and rare": {"q": f"{words.RARE} {words.COMMON}"},
        "phrase": {"q": f'"{words.COMMON} {words.COMMON}"'},
        "beginning of a word": {"q": "sa"},
        "caller": {"caller": "+4930"},
        "caller that is not there": {"caller": "+1999999"},
        "name": {"caller": "caller 777"},
        "agent": {"agent": things["agent_id"]},
        "number": {"number": things["number_id"]},
        "failed": {"outcome": "failed"},
        "short": {"duration": "0-30"},
        "long": {"duration": "600-"},
        "tool": {"tool": "transfer_call"},
        "tag": {"tag": "complaint"},
        "tool and rare word": {"tool": "transfer_call", "q": words.RARE},
        "a year ago": {"until": "2025-12-31"},
        "deep": {"at": _deep(tenant)},
    }
    for name, query in asked.items():
        yield Measured(f"calls: {name}", f"{calls}?{urlencode(query)}")
    search = reverse("portal:search", kwargs={"slug": tenant.slug})
    for name in ("common word", "rare word"):
        yield Measured(f"search: {name}", f"{search}?{urlencode(asked[name])}")


def _narrowed(tenant: Tenant) -> Iterator[Measured]:
    """Other pages that get slower with what they are asked for."""
    usage = reverse("portal:usage", kwargs={"slug": tenant.slug})
    yield Measured("usage: 12 months", f"{usage}?period=year")
    audit = reverse("portal:audit", kwargs={"slug": tenant.slug})
    yield Measured("audit: of members", f"{audit}?what=member")
    smallest = Tenant.objects.order_by("-pk")[0]
    calls = reverse("console:calls")
    yield Measured("console calls: failed", f"{calls}?outcome=failed")
    yield Measured("console calls: running", f"{calls}?outcome=running")
    yield Measured("console calls: a small tenant", f"{calls}?tenant={smallest.public_id}")
    yield Measured("console calls: an id", f"{calls}?q=nobody@example.org")


def _deep(tenant: Tenant) -> str:
    from tenants.services.calls_list import CallQuery, page

    cursor = ""
    for _ in range(DEEP):
        found = page(
            query=CallQuery(cursor=cursor),
            tenant=tenant,
            size=50,
            calls=Call.all_tenants.only("pk", "started_at"),
        )
        if not found.older:
            break
        cursor = found.older
    return cursor


# --- times ----------------------------------------------------------------------------------------


def cookie() -> str:
    """The session of somebody who may see all of it."""
    user = User.objects.get(email=EMAIL)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def time_all(found: list[Measured], web: str, rounds: int) -> None:
    """Ask for all pages in turn, so that none has the caches for itself; the first round warms."""
    address = urlsplit(web)
    headers = {"Cookie": cookie()}
    for turn in range(rounds + 1):
        for page in found:
            began = time.perf_counter()
            browser = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
            browser.request("GET", page.path, headers=headers)
            answer = browser.getresponse()
            answer.read()
            took = (time.perf_counter() - began) * 1000
            browser.close()
            page.status = answer.status
            if turn:
                page.times_ms.append(took)


def explain_all(found: list[Measured]) -> None:
    """Count the queries of each page; keep the plans of slow ones, and all where they are many."""
    host = settings.ALLOWED_HOSTS[0]
    browser = Client(raise_request_exception=False, headers={"host": host})
    browser.force_login(User.objects.get(email=EMAIL), settings.AUTHENTICATION_BACKENDS[0])
    for page in found:
        page.web_ms, page.database_ms = _cpu_ms(browser, page.path)
        with CaptureQueriesContext(connection) as asked:
            browser.get(page.path)
        page.queries = len(asked)
        if page.queries > MOST_QUERIES:
            page.plans.append("\n".join(query["sql"] for query in asked.captured_queries))
        for query in asked.captured_queries:
            if float(query["time"]) >= SLOW_QUERY_S and query["sql"].startswith("SELECT"):
                page.plans += _plan(query["sql"])


def _cpu_ms(browser: Client, path: str) -> tuple[float, float]:
    """What a request costs this process and its server process of PostgreSQL; medians."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = Path(f"/proc/{cursor.fetchone()[0]}/schedstat")
    costs = []
    for _ in range(CPU_RUNS):
        began, mine = int(server.read_text().split()[0]), time.process_time()
        browser.get(path)
        mine = time.process_time() - mine
        costs.append((mine * 1e3, (int(server.read_text().split()[0]) - began) / 1e6))
    return statistics.median(web for web, _ in costs), statistics.median(at for _, at in costs)


def _plan(sql: str) -> list[str]:
    """The plan, if the query is slow by the database's own clock too."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + sql)
        lines = [line for (line,) in cursor.fetchall()]
    took_ms = float(lines[-1].split()[-2])
    return ["\n".join((sql, *lines))] if took_ms >= SLOW_QUERY_S * 1000 else []
