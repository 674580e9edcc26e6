"""Tenants, calls and what was said in them, as many as are asked for, into an empty database.

The tenants' sizes follow Zipf's law: of 1,000,000 calls of 1,000 tenants the largest has 130,000.
Sums of days are made by one statement over what is there, as tenants/services/days.py makes them.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from bench.pages.tables import copying, set_keys, trusting
from bench.pages.words import Sentence, sentences
from tenants import search_index
from tenants.models import (
    Agent,
    AgentRevision,
    AuditEntry,
    Call,
    CallQuality,
    CallUsage,
    Member,
    Number,
    ProviderAccount,
    SearchDocument,
    Tag,
    Tenant,
    ToolCall,
    TranscriptEntry,
    Turn,
    User,
    Worker,
)

SEED: Final = 4
DAYS: Final = 365
EMAIL: Final = "bench@example.org"
TURNS: Final = 5
OUTCOMES: Final = (
    ("caller_hung_up", 60),
    ("agent_hung_up", 22),
    ("transferred", 14),
    ("provider_failed", 3),
    ("interrupted", 1),
)
REFUSED_SHARE: Final = 0.03
TOOL_SHARE: Final = 0.3
TAG_SHARE: Final = 0.02
AUDIT_SHARE: Final = 0.2
"""Entries of the audit log, of the calls."""
TABLES: Final = (Call, TranscriptEntry, Turn, ToolCall, CallQuality, CallUsage, SearchDocument)


@dataclass(frozen=True)
class Size:
    tenants: int
    calls: int
    entries: int
    """Of each call."""


@dataclass(frozen=True)
class House:
    """A tenant, and what its calls go to."""

    tenant: Tenant
    account: ProviderAccount
    agents: list[tuple[int, int]]
    """Keys of agents and of their revisions."""
    numbers: list[int]
    tag: int


def make(size: Size) -> None:
    """Fill the database; raises RuntimeError when it is not empty."""
    if Tenant.objects.exists():
        raise RuntimeError("There are tenants already: the data is made in an empty database.")
    began = time.monotonic()
    houses = [_house(number) for number in range(size.tenants)]
    person = _person(houses)
    spoken = sentences(SEED)
    with trusting(), connection.cursor() as cursor:
        # Made in one go when all is there, the index of words takes a tenth of the time.
        cursor.execute("DROP INDEX tenants_search_words")
        chosen = _calls(houses, size)
        _audit(chosen, person)
        print(f"calls after {time.monotonic() - began:.0f} s", flush=True)
        _said(size, spoken)
        _measured()
        print(f"rows after {time.monotonic() - began:.0f} s", flush=True)
    with connection.schema_editor() as editor:
        search_index.create(editor)
    for model in TABLES:
        set_keys(model)
    _days()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(f"all made after {time.monotonic() - began:.0f} s", flush=True)


def _house(number: int) -> House:
    tenant = Tenant.objects.create(slug=f"t{number}", name=f"Tenant {number}")
    account = ProviderAccount(tenant=tenant, name="Main")
    account.set_secret("sk-0123456789abcdef")
    account.save()
    agents = []
    for name in ("Reception", "Sales", "Night")[: 3 if number < 10 else 2]:
        agent = Agent.all_tenants.create(
            tenant=tenant, name=name, provider_account=account, instructions="Be helpful. " * 50
        )
        revision = AgentRevision.all_tenants.create(
            tenant=tenant,
            agent=agent,
            number=1,
            name=name,
            hang_up_enabled=True,
            provider_account=account,
            instructions=agent.instructions,
        )
        Agent.all_tenants.filter(pk=agent.pk).update(published_revision=revision)
        agents.append((agent.pk, revision.pk))
    numbers = [
        Number.all_tenants.create(
            tenant=tenant,
            number=f"+4930{number:05}{place}",
            label=f"Line {place}",
            agent_id=agents[place % len(agents)][0],
        ).pk
        for place in range(3)
    ]
    tag = Tag.all_tenants.create(tenant=tenant, name="complaint")
    return House(tenant, account, agents, numbers, tag.pk)


def _person(houses: list[House]) -> User:
    """Somebody who owns the largest tenant, one in the middle and the smallest, and is staff."""
    user = User.objects.create_superuser(email=EMAIL, password=uuid.uuid4().hex)
    for place in {0, len(houses) // 2, len(houses) - 1}:
        Member.all_tenants.create(tenant=houses[place].tenant, user=user, role="owner")
    Worker.objects.create(name="w0", connected=True, capacity=200)
    return user


# --- calls ----------------------------------------------------------------------------------------

_CALL: Final = (
    "id public_id tenant_id number_id agent_id revision_id account_id account_name model called"
    " calling calling_name language state refusal_reason started_at answered_at ended_at end_cause"
    " sip_status duration_ms codec wait_p50_ms cost currency settled_at last_event_at"
)


def _calls(houses: list[House], size: Size) -> list[House]:
    """Gives whose calls they are, in the order of their keys."""
    chance = random.Random(SEED)
    weights = [1 / rank for rank in range(1, len(houses) + 1)]
    chosen = chance.choices(houses, weights, k=size.calls)
    now = datetime.now(UTC)
    with copying(Call, _CALL) as write:
        # The oldest first, as they would have come in.
        for key, house in enumerate(chosen, 1):
            write(_call(key, house, now - _ago(key / size.calls), chance))
    _tags(size.calls, chosen, chance)
    return chosen


def _ago(place: float) -> timedelta:
    """How long ago: 0 is the oldest of the year, 1 the newest."""
    return timedelta(days=DAYS) * (1 - place) + timedelta(minutes=10)


def _call(key: int, house: House, began: datetime, chance: random.Random) -> tuple[Any, ...]:
    agent, revision = chance.choice(house.agents)
    refused = chance.random() < REFUSED_SHARE
    length = 0 if refused else int(chance.lognormvariate(11.3, 0.8))
    ended = began + timedelta(milliseconds=length)
    cause = chance.choices([name for name, _ in OUTCOMES], [share for _, share in OUTCOMES])[0]
    return (
        key,
        uuid.UUID(int=chance.getrandbits(128), version=4),
        house.tenant.pk,
        chance.choice(house.numbers),
        agent,
        None if refused else revision,
        house.account.pk,
        "Main",
        "" if refused else "gpt-realtime-2.1",
        "+493000000",
        f"+49{chance.randint(30, 9999)}{chance.randint(10**5, 10**7)}",
        f"Caller {chance.randint(1, 50_000)}",
        "de",
        "refused" if refused else "ended",
        "tenant_limit" if refused else "",
        began,
        None if refused else began,
        ended,
        "" if refused else cause,
        486 if refused else 200,
        length,
        "PCMA/8000",
        None if refused else int(chance.lognormvariate(6.6, 0.3)),
        Decimal(length) / 1_500_000,
        "USD",
        ended,
        ended,
    )


def _tags(count: int, houses: list[House], chance: random.Random) -> None:
    through = Call.tags.through
    with copying(through, "call_id tag_id") as write:
        for key in chance.sample(range(1, count + 1), int(count * TAG_SHARE)):
            write((key, houses[key - 1].tag))


def _audit(houses: list[House], person: User) -> None:
    """What people changed: more of it where there are more calls."""
    chance = random.Random(SEED + 3)
    actions = ("agent.edit", "agent.publish", "call.download", "number.edit", "member.edit")
    now, step = datetime.now(UTC), round(1 / AUDIT_SHARE)
    with copying(AuditEntry, "tenant_id user_id action target changes at") as write:
        for place in range(0, len(houses), step):
            action = chance.choice(actions)
            changes = json.dumps({"label": ["old", f"new {place}"]})
            at = now - _ago(place / len(houses))
            write((houses[place].tenant.pk, person.pk, action, "Reception", changes, at))


def _answered() -> Iterator[tuple[int, int, datetime, int]]:
    """Keys of answered calls, of their tenants, when they began and how long they were."""
    found = Call.all_tenants.exclude(answered_at=None).order_by("pk")
    yield from found.values_list("pk", "tenant_id", "started_at", "duration_ms").iterator(
        chunk_size=10_000
    )


# --- what was said --------------------------------------------------------------------------------


def _said(size: Size, spoken: list[Sentence]) -> None:
    """Transcripts, and the documents that the search finds them by."""
    chance = random.Random(SEED + 1)
    picked: list[array[int]] = []  # few bytes each: there may be 20,000,000
    names = "call_id tenant_id item_id position speaker text final offset_ms duration_ms"
    calls = list(_answered())
    with copying(TranscriptEntry, names) as write:
        for call, tenant, _, length in calls:
            chosen = array("H", (chance.randrange(len(spoken)) for _ in range(size.entries)))
            picked.append(chosen)
            each = length // max(1, size.entries)
            for place, sentence in enumerate(chosen):
                speaker = "caller" if place % 2 else "agent"
                text = spoken[sentence].text
                at = place * each
                write((call, tenant, f"i{place}", place, speaker, text, True, at, each))
    with copying(SearchDocument, "call_id tenant_id started_at body") as write:
        for (call, tenant, began, _), chosen in zip(calls, picked, strict=True):
            body = " ".join(spoken[sentence].folded for sentence in chosen)
            write((call, tenant, began, f" {body} "))


# --- what was measured ----------------------------------------------------------------------------


def _measured() -> None:
    chance = random.Random(SEED + 2)
    calls = list(_answered())
    marks = "call_id tenant_id number caller_stopped_ms end_known_ms first_audio_ms first_packet_ms"
    with copying(Turn, marks) as write:
        for call, tenant, _, length in calls:
            for number in range(1, TURNS + 1):
                at = length * number // (TURNS + 1)
                write((call, tenant, number, at, at + 300, at + 700, at + 780))
    names = "call_id tenant_id tool_call_id position name arguments state"
    with copying(ToolCall, names) as write:
        for call, tenant, _, _ in calls:
            if chance.random() < TOOL_SHARE:
                name = chance.choice(["hang_up", "hang_up", "transfer_call"])
                write((call, tenant, "t1", 99, name, "{}", "succeeded"))
    with copying(CallQuality, "call_id tenant_id packets_received mos") as write:
        for call, tenant, _, length in calls:
            write((call, tenant, length // 20, 4.2))
    names = "call_id tenant_id kind model input_audio_tokens output_audio_tokens responses"
    with copying(CallUsage, names) as write:
        for call, tenant, _, length in calls:
            write((call, tenant, "response", "gpt-realtime-2.1", length // 100, length // 50, 5))


_DAYS: Final = """
INSERT INTO tenants_daystats (tenant_id, day, agent_id, number_id, model, kind, currency, calls,
    answered, refused, failed, transferred, duration_ms, cost, tokens_in, tokens_out, waits)
SELECT tenant_id, (started_at AT TIME ZONE 'UTC')::date, agent_id, number_id, model, kind, currency,
    count(*), count(answered_at), count(*) FILTER (WHERE state = 'refused'),
    count(*) FILTER (WHERE end_cause IN ('provider_failed', 'interrupted')),
    count(*) FILTER (WHERE end_cause = 'transferred'), sum(duration_ms), sum(cost),
    sum(duration_ms) / 100, sum(duration_ms) / 50,
    ('[' || repeat('0, ', 23) || count(answered_at) || ']')::jsonb
FROM tenants_call WHERE started_at < date_trunc('day', now())
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


def _days() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
