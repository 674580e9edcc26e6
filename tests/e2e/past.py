"""A fortnight of made-up calls for pictures: nobody looks at a chart of one call."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from tenants.models import Agent, Call, CallUsage, Number, Price, ProviderAccount, Tenant, Turn
from tenants.services import days, settling
from tenants.services.publishing import publish, save_draft

SEED: Final = 7
DAYS: Final = 14
BUSY, QUIET = 34, 9
"""Calls of a working day and of a Saturday or Sunday, about."""
NAMES: Final = (
    *("Maria Huber", "Jonas Weber", "Aylin Kaya", "Peter Novak", "Sophie Laurent", "Emil Brandt"),
    *("Clara Winkler", "Tom Becker", "Ines Moreau", "Paul Schneider", "Lena Fischer", ""),
)
CAUSES: Final = {
    "caller_hung_up": 62,
    "agent_hung_up": 20,
    "transferred": 14,
    "provider_failed": 2,
    "interrupted": 1,
}
REFUSED_SHARE: Final = 0.02
MODELS: Final = {"Reception": "gpt-realtime-2.1", "Sales desk": "gpt-realtime-2.1"}
OTHER_MODEL: Final = "gpt-realtime-2.1-mini"
TURN_MS: Final = 9000
LONG_AGO: Final = date(2020, 1, 1)
NEIGHBOURS: Final = (
    ("Brandt & Sons Heating", 0.4, 60),
    ("Castle Hotel Lindau", 0.8, 200),
    ("Dr Weiss Veterinary Practice", 0.2, None),
    ("Northwind Logistics", 0.6, 120),
)
"""Other tenants for the operator's pages: name, share of the calls, budget a month."""


def make_neighbours() -> None:
    for place, (name, share, budget) in enumerate(NEIGHBOURS):
        tenant = Tenant.objects.create(slug=f"neighbour-{place}", name=name, budget_month=budget)
        agent = Agent(tenant=tenant, name="Reception", instructions=f"You are {name}'s reception.")
        publish(agent=save_draft(agent=agent, user=None), user=None, note="First revision")
        Number.all_tenants.create(tenant=tenant, number=f"+4930231250{place}", agent=agent)
        make_past(tenant, share)


def make_past(tenant: Tenant, share: float = 1) -> None:
    """Calls of the last days, settled, at an account of the tenant's own."""
    chance = random.Random(f"{SEED} {tenant.slug}")
    account = ProviderAccount(tenant=tenant, name="Main account", check_state="ok")
    account.set_secret("sk-of-nobody-at-all")
    account.checked_at = timezone.now()
    account.save()
    # The catalogue's prices begin on the day on which they were read.
    Price.objects.filter(valid_from__gt=LONG_AGO).update(valid_from=LONG_AGO)
    numbers = list(Number.all_tenants.filter(tenant=tenant).select_related("agent"))
    calls = [
        _call(tenant, account, chance.choices(numbers, (6, 2, 2)[: len(numbers)])[0], at, chance)
        for at in _moments(chance, share)
    ]
    Call.all_tenants.bulk_create(calls)
    answered = [call for call in calls if call.answered_at]
    CallUsage.all_tenants.bulk_create(_usage(call) for call in answered)
    Turn.all_tenants.bulk_create(turn for call in answered for turn in _turns(call, chance))
    while settling.settle_due():
        pass
    days.remake_due()


def _moments(chance: random.Random, share: float) -> Iterator[datetime]:
    """When calls began, the oldest first; in the hours of an office, the last a while ago."""
    now = timezone.now()
    for back in range(DAYS, -1, -1):
        morning = (now - timedelta(days=back)).replace(hour=7, minute=0, second=0)
        count = round(share * (BUSY if morning.weekday() < 5 else QUIET))
        minutes = sorted(
            chance.randint(0, 600) for _ in range(chance.randint(count * 5 // 6, count))
        )
        moments = (morning + timedelta(minutes=minute) for minute in minutes)
        yield from (at for at in moments if at < now - timedelta(minutes=20))


def _call(
    tenant: Tenant,
    account: ProviderAccount,
    number: Number,
    at: datetime,
    chance: random.Random,
) -> Call:
    agent = number.agent
    assert isinstance(agent, Agent)
    refused = chance.random() < REFUSED_SHARE
    length = 0 if refused else int(min(600_000, chance.lognormvariate(11.2, 0.6)))
    cause = chance.choices(list(CAUSES), list(CAUSES.values()))[0]
    over: dict[str, Any] = {"state": "ended", "end_cause": cause, "answered_at": at}
    if refused:
        over = {"state": "refused", "refusal_reason": "tenant_limit"}
    return Call(
        tenant=tenant,
        number=number,
        agent=agent,
        revision=agent.published,
        account=account,
        account_name=account.name,
        model="" if refused else MODELS.get(agent.name, OTHER_MODEL),
        called=number.number,
        calling=f"+493023125{chance.randint(0, 999):03}",
        calling_name=chance.choice(NAMES),
        language=chance.choice(("en", "en", "de")),
        codec="PCMA/8000",
        started_at=at,
        ended_at=at + timedelta(milliseconds=length),
        duration_ms=length,
        **over,
    )


def _usage(call: Call) -> CallUsage:
    """As a speech model counts: 10 tokens a second heard, 20 a second spoken, all heard again."""
    seconds = call.duration_ms // 1000
    return CallUsage(
        tenant=call.tenant,
        call=call,
        kind="response",
        model=call.model,
        input_audio_tokens=seconds * 40,
        cached_audio_tokens=seconds * 30,
        input_text_tokens=seconds * 30,
        cached_text_tokens=seconds * 25,
        output_audio_tokens=seconds * 9,
        output_text_tokens=seconds * 3,
        responses=max(1, call.duration_ms // TURN_MS),
    )


def _turns(call: Call, chance: random.Random) -> Iterator[Turn]:
    for number in range(max(1, min(8, call.duration_ms // TURN_MS))):
        stopped = 2000 + number * TURN_MS
        known = stopped + chance.randint(380, 560)
        audio = known + int(chance.lognormvariate(5.6, 0.35))
        yield Turn(
            tenant=call.tenant,
            call=call,
            number=number + 1,
            caller_stopped_ms=stopped,
            end_known_ms=known,
            first_audio_ms=audio,
            first_packet_ms=audio + 40,
        )
