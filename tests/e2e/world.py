"""Tenants, agents and numbers of a test's own, made in the running product by its own services."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from allauth.account.models import EmailAddress

from tenants.models import (
    Agent,
    Call,
    CallProblem,
    Member,
    Number,
    ProviderAccount,
    Tenant,
    TenantSettings,
    ToolCall,
    TranscriptEntry,
    User,
)
from tenants.services.publishing import publish
from tests.e2e.stack import RunningStack

T = TypeVar("T")
PASSWORD = "a long password for tests"
WAIT_SECONDS = 90.0
POLL_SECONDS = 0.1
_serial = itertools.count(1)


async def eventually(
    what: Callable[[], T | None], *, seconds: float = WAIT_SECONDS, why: str = ""
) -> T:
    """The first true answer of `what`; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError(f"not within {seconds:.0f} s: {why or what}")


@dataclass
class House:
    """One tenant with an owner, an agent and a number of its own."""

    stack: RunningStack
    tenant: Tenant
    owner: User
    agent: Agent
    number: Number
    account: ProviderAccount
    settings: TenantSettings
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"sip:{self.number.number}@127.0.0.1:{self.stack.sip_port}"

    def publish(self, note: str = "") -> None:
        publish(agent=self.agent, user=self.owner, note=note)

    async def call(self) -> Call:
        """The newest call to this tenant's number, once there is one."""
        return await eventually(
            lambda: Call.all_tenants.filter(tenant=self.tenant).order_by("-pk").first(),
            why=f"a call of {self.tenant}",
        )

    async def ended_call(self) -> Call:
        call = await self.call()
        return await eventually(
            lambda: Call.all_tenants.filter(pk=call.pk, state__in=["ended", "refused"]).first(),
            why=f"the end of {call}",
        )

    async def session(self) -> dict[str, Any]:
        """What the sandbox was sent in the session of the newest call."""
        call = await self.call()
        opened = await eventually(
            lambda: Call.all_tenants.filter(pk=call.pk).exclude(session_id="").first(),
            why=f"the session of {call}",
        )
        with urllib.request.urlopen(
            f"http://{self.stack.sandbox}/sessions/{opened.session_id}", timeout=60
        ) as reply:
            return json.load(reply)


class World:
    """Everything that a test sets up, and what it looks up."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack

    def house(
        self,
        *,
        misbehave: str = "",
        key: str = "sandbox-test",
        url: str = "",
        greeting: str = "Hello, you have reached the clinic. How can I help you?",
        transfer_targets: list[dict[str, str]] | None = None,
        **settings: Any,
    ) -> House:
        """A tenant whose agent is published; `settings` are the agent's own."""
        serial = f"{next(_serial)}{uuid.uuid4().hex[:5]}"
        tenant = Tenant.objects.create(slug=f"house-{serial}", name=f"House {serial}")
        owner = self.person(f"owner-{serial}@house.example", tenant, "owner")
        account = ProviderAccount(
            tenant=tenant, name="Main account", url=url or self.sandbox_url(misbehave)
        )
        account.set_secret(key)
        account.save()
        agent = Agent(
            tenant=tenant,
            name="Reception",
            provider_account=account,
            instructions="You are the reception of a clinic, open from nine to five.",
            greetings={"en": greeting},
            transfer_targets=transfer_targets or [],
            **settings,
        )
        agent.save()
        number = Number.all_tenants.create(tenant=tenant, number=f"7{serial}", agent=agent)
        own, _ = TenantSettings.all_tenants.get_or_create(tenant=tenant)
        house = House(self.stack, tenant, owner, agent, number, account, own)
        house.publish("first")
        return house

    def person(self, email: str, tenant: Tenant, role: str) -> User:
        user = User.objects.create_user(email=email, password=PASSWORD, name=email.split("@")[0])
        EmailAddress.objects.get_or_create(user=user, email=email, verified=True, primary=True)
        Member.all_tenants.create(tenant=tenant, user=user, role=role)
        return user

    def sandbox_url(self, misbehave: str = "") -> str:
        suffix = f"?misbehave={misbehave}" if misbehave else ""
        return f"ws://{self.stack.sandbox}/v1/realtime{suffix}"

    def entries(self, call: Call) -> list[TranscriptEntry]:
        return list(TranscriptEntry.all_tenants.filter(call=call).order_by("position"))

    def tools(self, call: Call) -> list[ToolCall]:
        return list(ToolCall.all_tenants.filter(call=call).order_by("position"))

    def problems(self, call: Call) -> list[CallProblem]:
        return list(CallProblem.all_tenants.filter(call=call).order_by("pk"))
