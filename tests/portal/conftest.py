"""What the portal's tests share: browsers of people, calls with a transcript, addresses."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tenants.models import (
    Agent,
    Call,
    IdentityProvider,
    Member,
    Number,
    ProviderAccount,
    Recording,
    Tenant,
    ToolCall,
    TranscriptEntry,
    Turn,
    User,
    Worker,
)
from tenants.services import exports, members, support, tokens
from tests.support.sound import ogg, sha256


@pytest.fixture
def browse() -> Callable[[User], Client]:
    """A browser in which that person is signed in."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def make_call(
    acme: Tenant, published: Agent, number: Number, worker: Worker
) -> Callable[..., Call]:
    """A call of Acme; ended a minute ago unless the fields say otherwise."""

    def make(**fields: Any) -> Call:
        now = timezone.now()
        ended: dict[str, Any] = {
            "state": "ended",
            "end_cause": "caller_hung_up",
            "answered_at": now - timedelta(minutes=2),
            "ended_at": now - timedelta(minutes=1),
            "duration_ms": 60_000,
        }
        if fields.get("state") in {"running", "ringing"}:
            ended = {"answered_at": now if fields["state"] == "running" else None}
        values: dict[str, Any] = {
            "public_id": uuid.uuid4(),
            "tenant": acme,
            "number": number,
            "agent": published,
            "revision": published.published,
            "worker": worker,
            "called": "100",
            "calling": "+4930123456",
            "calling_name": "Maria Huber",
            "started_at": now - timedelta(minutes=2, seconds=1),
            **ended,
        }
        return Call.all_tenants.create(**(values | fields))

    return make


@pytest.fixture
def call(make_call: Callable[..., Call]) -> Call:
    """A past call in which everything happened."""
    past = make_call(end_cause="transferred")
    talk(past)
    return past


@pytest.fixture
def running(make_call: Callable[..., Call]) -> Call:
    return make_call(state="running")


def say(call: Call, item_id: str, position: int, speaker: str, text: str, **fields: Any) -> Any:
    """Write a transcript entry as the intake does."""
    return TranscriptEntry.all_tenants.update_or_create(
        call=call,
        item_id=item_id,
        defaults={
            "tenant": call.tenant,
            "position": position,
            "speaker": speaker,
            "text": text,
            "final": True,
            **fields,
        },
    )[0]


def talk(call: Call) -> None:
    """Greeting, question, an answer that is interrupted, a transfer."""
    say(call, "item_1", 10, "agent", "Hello, Acme Dental.")
    say(call, "item_2", 20, "caller", "Please connect me to sales.", offset_ms=4000)
    say(call, "item_3", 30, "agent", "I will connect", cut_text="you to sales now.")
    ToolCall.all_tenants.create(
        tenant=call.tenant,
        call=call,
        tool_call_id="tool_1",
        position=40,
        name="transfer_call",
        arguments={"target": "sales"},
        state="succeeded",
        result="The caller was connected.",
    )
    Turn.all_tenants.create(
        tenant=call.tenant, call=call, number=1, first_audio_ms=250, first_packet_ms=300
    )
    Turn.all_tenants.create(
        tenant=call.tenant,
        call=call,
        number=2,
        caller_stopped_ms=6000,
        end_known_ms=6500,
        first_audio_ms=6740,
        first_packet_ms=6780,
    )


@pytest.fixture
def keep_recording() -> Callable[..., Recording]:
    """Store a recording of a call as the worker's request does."""

    def keep(call: Call, data: bytes | None = None, **fields: Any) -> Recording:
        data = ogg() if data is None else data
        call.settings_used = call.settings_used | {"record": {"value": True, "level": "agent"}}
        call.save()
        values: dict[str, Any] = {
            "sha256": sha256(data),
            "size": len(data),
            "duration_ms": 2000,
            "offset_ms": -40,
            "peaks": bytes(range(250)) * 8,
        }
        kept = Recording(tenant=call.tenant, call=call, **(values | fields))
        kept.file.save("", ContentFile(data), save=False)
        kept.save()
        return kept

    return keep


def address(name: str, slug: str = "acme", **arguments: Any) -> str:
    return reverse(f"portal:{name}", kwargs={"slug": slug, **arguments})


@pytest.fixture
def settings_things(acme: Tenant, alice: User, victor: User) -> dict[str, Any]:
    """Ids of what the settings' pages show, by the name of the URL's argument."""
    invitation, _link = members.invite(
        tenant=acme, user=alice, email="ivy@acme.example", role="viewer"
    )
    token, _text = tokens.create_token(
        tenant=acme, user=alice, name="CRM", scopes=["calls:read"], expires_at=None
    )
    granted = support.grant(tenant=acme, user=alice, hours=1, reason="It is silent.")
    provider = IdentityProvider.all_tenants.create(
        tenant=acme, name="Acme account", issuer="https://login.example.com"
    )
    asked = exports.ask(tenant=acme, user=alice)
    exports.make_due()
    return {
        "provider_id": provider.public_id,
        "export_id": asked.public_id,
        "grant_id": granted.public_id,
        "member_id": Member.all_tenants.get(tenant=acme, user=victor).public_id,
        "invitation_id": invitation.public_id,
        "token_id": token.public_id,
    }


@pytest.fixture
def things(
    call: Call, number: Number, account: ProviderAccount, settings_things: dict[str, Any]
) -> dict[str, Any]:
    """Ids of what Acme owns, by the name of the URL's argument."""
    return {
        "call_id": call.public_id,
        "agent_id": call.agent.public_id,
        "number": 1,
        "number_id": number.public_id,
        "account_id": account.public_id,
        **settings_things,
    }
