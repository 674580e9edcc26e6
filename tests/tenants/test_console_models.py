"""What the models of the console and the portal promise."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django_scopes import scope

from tenants.models import (
    Agent,
    Call,
    CallEvent,
    CallUsage,
    Number,
    PlatformSettings,
    Price,
    ProviderModel,
    SearchDocument,
    StaleDay,
    SupportGrant,
    Tag,
    Tenant,
    User,
)
from tenants.models.day_stats import WAIT_BUCKETS_MS, no_waits
from tenants.models.opening_hours import validate_opening_hours
from tenants.models.session_extra import KNOWN, validate_session_extra

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=7)


@pytest.fixture
def call(number: Number) -> Call:
    return Call.all_tenants.create(
        tenant=number.tenant,
        number=number,
        agent=number.agent,
        revision=number.agent.published,
        called="100",
        calling="+4930555",
        state="ended",
        started_at=NOW,
        ended_at=NOW,
    )


@pytest.fixture
def model(db: None) -> ProviderModel:
    return ProviderModel.objects.create(provider="other", name="m-1", kind="realtime")


def refused(make: Any, match: str | None = None) -> None:
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        make()


# --- the tenant ----------------------------------------------------------------------------------


def test_a_tenant_begins_without_limits_and_nobody_listens_in(acme: Tenant):
    acme.full_clean()
    assert acme.max_calls_a_minute is acme.max_numbers is acme.budget_month is None
    assert acme.keep_transcripts_days is acme.keep_recordings_days is acme.closing_at is None
    assert (acme.listen_in, acme.languages) == ("nobody", ["en", "de"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_calls_a_minute", 0),
        ("budget_month", Decimal(0)),
        ("budget_currency", "euro"),
        ("keep_transcripts_days", 0),
        ("keep_recordings_days", 40_000),
        ("listen_in", "everybody"),
        ("languages", []),
        ("languages", "en"),
        ("languages", ["en", "en"]),
        ("languages", ["english"]),
    ],
)
def test_a_wrong_value_of_a_tenant_is_said_at_its_field(acme: Tenant, name: str, value: Any):
    setattr(acme, name, value)
    with pytest.raises(ValidationError) as caught:
        acme.full_clean()
    assert name in caught.value.message_dict


def test_the_database_refuses_a_budget_of_nothing_and_strange_listeners(acme: Tenant):
    rows = Tenant.objects.filter(pk=acme.pk)
    refused(lambda: rows.update(budget_month=0))
    refused(lambda: rows.update(listen_in="everybody"))


def test_people_and_memberships_have_ids_of_their_own(alice: User, bob: User):
    members = [user.memberships(manager="all_tenants").get() for user in (alice, bob)]
    assert len({alice.public_id, bob.public_id, *(member.public_id for member in members)}) == 4


# --- agents --------------------------------------------------------------------------------------


def test_a_fallback_is_the_tenants_and_one_of_its_targets(
    agent: Agent, birch: Tenant, make_account
):
    with scope(tenant=agent.tenant):
        agent.fallback_target = "sales"
        agent.fallback_account = make_account(None, name="Operator's")
        agent.full_clean()
        agent.fallback_target = "nobody"
        agent.fallback_account = make_account(birch)
        with pytest.raises(ValidationError) as caught:
            agent.full_clean()
    assert "fallback_account" in caught.value.message_dict
    agent.fallback_account = None
    with scope(tenant=agent.tenant), pytest.raises(ValidationError) as caught:
        agent.full_clean()
    assert "fallback_target" in caught.value.message_dict


def test_only_settings_can_be_locked(db: None):
    PlatformSettings(locked=["voice", "record"]).clean()
    for wrong in (["name"], "voice", {"voice": 1}):
        with pytest.raises(ValidationError, match="Only settings"):
            PlatformSettings(locked=wrong).clean()


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"truncation": "disabled"},
        {"truncation": {"type": "retention_ratio", "retention_ratio": 0.8}},
        {"reasoning": {"effort": "low"}, "parallel_tool_calls": False, "tool_choice": "required"},
        {"include": ["item.input_audio_transcription.logprobs"], "tracing": "auto"},
    ],
)
def test_session_fields_are_accepted(value: Any):
    validate_session_extra(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "JSON object"),
        ([], "JSON object"),
        ("truncation", "JSON object"),
        ({"instructions": "Be rude."}, "cannot be given"),
        ({"type": "transcription"}, "cannot be given"),
        ({"model": "x"}, "cannot be given"),
        ({"audio": {}}, "cannot be given"),
        ({"tools": []}, "cannot be given"),
        ({"api_key": "sk-1"}, "cannot be given"),
        ({"parallel_tool_calls": "yes"}, "wrong kind"),
        ({"reasoning": "low"}, "wrong kind"),
        ({"tracing": {"metadata": "x" * 9000}}, "longer than"),
        ({"tracing": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}, "too deeply"),
        ({"tracing": "a\x00b"}, "cannot be stored"),
    ],
)
def test_session_fields_that_are_none_are_refused(value: Any, words: str):
    with pytest.raises(ValidationError, match=words):
        validate_session_extra(value)


def test_no_session_field_is_one_that_a_setting_or_the_call_decides():
    decided = {"type", "model", "audio", "instructions", "tools", "output_modalities", "prompt"}
    assert not decided & set(KNOWN)
    assert "max_output_tokens" not in KNOWN


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"mon": [["09:00", "17:00"]]},
        {"mon": [["00:00", "12:00"], ["12:00", "24:00"]], "sun": [], "closed": ["2026-12-25"]},
    ],
)
def test_opening_hours_are_accepted(value: Any):
    validate_opening_hours(value)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"monday": []},
        {"mon": ["09:00", "17:00"]},
        {"mon": [["9:00", "17:00"]]},
        {"mon": [["17:00", "09:00"]]},
        {"mon": [["09:00", "09:00"]]},
        {"mon": [["24:00", "24:01"]]},
        {"mon": [["09:00", "12:00"], ["11:00", "17:00"]]},
        {"mon": [["13:00", "17:00"], ["09:00", "12:00"]]},
        {"mon": [["09:00", 17]]},
        {"mon": [["09:00", "17:00"]] * 11},
        {"closed": ["25.12.2026"]},
        {"closed": ["2026-02-30"]},
        {"closed": [20261225]},
        {"closed": "2026-12-25"},
    ],
)
def test_opening_hours_that_are_none_are_refused(value: Any):
    with pytest.raises(ValidationError):
        validate_opening_hours(value)


# --- calls ---------------------------------------------------------------------------------------


def test_a_call_has_a_kind_a_draft_or_a_revision_and_a_cost_with_a_currency(call: Call):
    rows = Call.all_tenants.filter(pk=call.pk)
    assert call.kind == "phone"
    refused(lambda: rows.update(kind="fax"))
    refused(lambda: rows.update(draft_version=3))
    rows.update(draft_version=3, revision=None)
    refused(lambda: rows.update(cost=Decimal("0.1")))
    rows.update(cost=Decimal("0.00000001"), currency="USD")
    assert rows.get().cost == Decimal("0.00000001")


def test_tags_are_once_a_tenant_in_any_case(acme: Tenant, birch: Tenant, call: Call):
    tag = Tag.all_tenants.create(tenant=acme, name="Complaint")
    refused(lambda: Tag.all_tenants.create(tenant=acme, name="complaint"), "(?i)unique")
    Tag.all_tenants.create(tenant=birch, name="complaint")
    with scope(tenant=acme):
        call.tags.add(tag)
        assert list(call.tags.all()) == [tag]
        assert list(Call.objects.filter(tags__name="Complaint")) == [call]


def test_what_happened_has_no_state_and_what_was_asked_has_its_command(call: Call):
    def event(**fields: Any) -> CallEvent:
        return CallEvent.all_tenants.create(
            **{"tenant": call.tenant, "call": call, "kind": "dtmf", **fields}
        )

    event(text="5")
    command = uuid.uuid4()
    event(kind="said", state="asked", command=command)
    refused(lambda: event(kind="said", state="asked", command=command), "command")
    refused(lambda: event(kind="said", state="asked"), "call_event_state")
    refused(lambda: event(kind="sneeze"), "call_event_kind")


def test_usage_is_summed_by_model_and_a_cost_has_its_price(call: Call, model: ProviderModel):
    fields = {"tenant": call.tenant, "call": call, "kind": "response", "model": "m-1"}
    usage = CallUsage.all_tenants.create(**fields)
    refused(lambda: CallUsage.all_tenants.create(**fields), "(?i)unique")
    CallUsage.all_tenants.create(**fields | {"kind": "transcription"})
    usage.cost = Decimal("0.5")
    refused(usage.save, "usage_cost")
    usage.price = Price.objects.create(model=model, valid_from=date(2026, 1, 1))
    usage.save()
    with pytest.raises(ProtectedError):
        usage.price.delete()


def test_a_price_ends_after_it_begins_and_begins_once_a_day(model: ProviderModel):
    first = Price(model=model, valid_from=date(2026, 1, 2), valid_to=date(2026, 1, 1))
    refused(first.save, "price_ends")
    first.valid_to = date(2026, 1, 2)
    first.save()
    refused(lambda: Price.objects.create(model=model, valid_from=date(2026, 1, 2)), "(?i)unique")
    with pytest.raises(ValidationError):
        Price(model=model, valid_from=date(2026, 2, 1), audio_in=Decimal(-1)).full_clean()


def test_waits_are_counted_in_24_buckets(acme: Tenant):
    assert len(no_waits()) == 24
    assert list(WAIT_BUCKETS_MS) == sorted(set(WAIT_BUCKETS_MS))
    StaleDay.all_tenants.create(tenant=acme, day=date(2026, 1, 1))
    refused(lambda: StaleDay.all_tenants.create(tenant=acme, day=date(2026, 1, 1)), "(?i)unique")


def test_a_tenant_goes_with_all_of_the_new_rows_too(call: Call, alice: User):
    acme = call.tenant
    assert acme is not None
    Call.all_tenants.filter(pk=call.pk).update(placed_by=alice)
    CallEvent.all_tenants.create(tenant=acme, call=call, kind="held")
    SearchDocument.all_tenants.create(tenant=acme, call=call, started_at=NOW, body="hello")
    call.tags.add(Tag.all_tenants.create(tenant=acme, name="x"))
    SupportGrant.all_tenants.create(tenant=acme, expires_at=LATER + timedelta(days=4000))
    acme.delete()
    for model in (Call, CallEvent, SearchDocument, Tag, SupportGrant):
        assert not model.all_tenants.exists()
