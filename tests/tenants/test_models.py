"""What the models promise whoever uses them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django_scopes import scope
from django_scopes.exceptions import ScopeError

from media_worker import contract
from tenants.managers import ImmutableError, TenantManager, UnscopedManager
from tenants.models import (
    Agent,
    AgentRevision,
    Call,
    Number,
    PlatformSettings,
    ProviderAccount,
    Tenant,
    User,
    choices,
)
from tenants.models.validators import (
    validate_apologies,
    validate_greetings,
    validate_max_output_tokens,
    validate_provider_url,
    validate_transfer_targets,
    validate_transfer_uri,
)

TENANT_MODELS = [
    model
    for model in apps.get_app_config("tenants").get_models()
    if any(field.name == "tenant" for field in model._meta.get_fields())
]
NOW = datetime(2026, 11, 22, tzinfo=UTC)


# --- tenants' rows -------------------------------------------------------------------------------


def test_there_are_tenant_models():
    assert {model.__name__ for model in TENANT_MODELS} >= {"Agent", "Number", "Call", "Member"}


@pytest.mark.parametrize("model", TENANT_MODELS, ids=lambda model: model.__name__)
def test_every_model_of_a_tenant_has_the_scoped_manager(model: type[models.Model]):
    assert isinstance(model.objects, TenantManager)
    assert model._default_manager is model.objects
    assert isinstance(model.all_tenants, UnscopedManager)


@pytest.mark.parametrize("model", TENANT_MODELS, ids=lambda model: model.__name__)
def test_without_a_scope_every_query_raises(model: type[models.Model], db: None):
    for query in (
        lambda: model.objects.all(),
        lambda: model.objects.first(),
        lambda: model.objects.filter(pk=1),
        lambda: model.objects.count(),
        lambda: list(model.objects.values()),
    ):
        with pytest.raises(ScopeError):
            query()


def test_a_scope_shows_one_tenant_only(acme: Tenant, birch: Tenant, account: ProviderAccount):
    with scope(tenant=acme):
        assert list(ProviderAccount.objects.all()) == [account]
    with scope(tenant=birch):
        assert not ProviderAccount.objects.filter(pk=account.pk).exists()


def test_relations_fail_closed_too(acme: Tenant, agent: Agent):
    with pytest.raises(ScopeError):
        acme.agents.count()


@pytest.mark.parametrize("model", list(apps.get_app_config("tenants").get_models()))
def test_every_model_says_what_it_is(model: type[models.Model]):
    assert "__str__" in model.__dict__ or model.__str__ is not models.Model.__str__


# --- immutability --------------------------------------------------------------------------------


def test_a_revision_is_never_changed_or_deleted(published: Agent):
    revision = published.published
    assert revision is not None
    revision.voice = "cedar"
    with pytest.raises(ImmutableError):
        revision.save()
    with pytest.raises(ImmutableError):
        revision.delete()
    rows = AgentRevision.all_tenants.filter(agent=published)
    with pytest.raises(ImmutableError):
        rows.update(voice="cedar")
    with pytest.raises(ImmutableError):
        rows.delete()
    with scope(tenant=published.tenant), pytest.raises(ImmutableError):
        AgentRevision.objects.update(voice="cedar")
    assert AgentRevision.all_tenants.get(pk=revision.pk).voice is None


def test_a_tenant_goes_with_everything_that_it_owns(number: Number):
    number.tenant.delete()
    assert not AgentRevision.all_tenants.exists()
    assert not Number.all_tenants.exists()


# --- constraints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vad_threshold", 1.1),
        ("vad_threshold", -0.1),
        ("speed", 0.2),
        ("chunk_ms", 10),
        ("false_interruption_ms", 5001),
        ("temperature", 1.3),
        ("idle_timeout_ms", 4999),
        ("dialect", "klingon"),
        ("audio_format", "mp3"),
    ],
)
def test_the_database_refuses_settings_out_of_range(agent: Agent, name: str, value: Any):
    with pytest.raises(IntegrityError), transaction.atomic():
        Agent.all_tenants.filter(pk=agent.pk).update(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vad_threshold", 1.5),
        ("prefix_padding_ms", 5001),
        ("silence_duration_ms", 10_001),
        ("idle_timeout_ms", 30_001),
        ("greeting_guard_ms", 10_001),
        ("false_interruption_ms", 5001),
        ("chunk_ms", 120),
        ("chunk_ms", 50),
        ("speed", 1.6),
        ("temperature", 0.5),
        ("max_output_tokens", "4097"),
        ("max_output_tokens", "none"),
        ("voice", "  "),
        ("language", "Deutsch"),
        ("greetings", {"english": "Hi"}),
        ("greetings", ["Hi"]),
        ("apologies", {"en": " "}),
        ("transfer_targets", [{"name": "Sales Team", "uri": "sip:a@b"}]),
    ],
)
def test_a_wrong_setting_is_said_at_its_field(agent: Agent, name: str, value: Any):
    setattr(agent, name, value)
    with scope(tenant=agent.tenant), pytest.raises(ValidationError) as caught:
        agent.full_clean()
    assert name in caught.value.message_dict


def test_an_account_of_another_tenant_cannot_be_chosen(agent: Agent, birch: Tenant, make_account):
    agent.provider_account = make_account(birch)
    with scope(tenant=agent.tenant), pytest.raises(ValidationError, match="somebody else"):
        agent.full_clean()


def test_the_operators_account_can_be_chosen(agent: Agent, make_account):
    agent.provider_account = make_account(None)
    with scope(tenant=agent.tenant):
        agent.full_clean()


def test_a_number_is_somebodys_only_once(number: Number, birch: Tenant):
    theirs = Agent.all_tenants.create(tenant=birch, name="Theirs")
    taken = Number(tenant=birch, number="1-0-0", agent=theirs)
    with scope(tenant=birch), pytest.raises(ValidationError, match="in use"):
        taken.full_clean()


def test_a_number_leads_to_an_agent_of_its_tenant(number: Number, birch: Tenant):
    foreign = Number(tenant=birch, number="200", agent=number.agent)
    with scope(tenant=birch), pytest.raises(ValidationError, match="somebody else"):
        foreign.full_clean()


@pytest.mark.parametrize(
    ("typed", "kept"), [("+49 30 1234-56", "+4930123456"), ("(030) 12.34", "0301234"), ("hi", "hi")]
)
def test_a_number_is_kept_without_separators(acme: Tenant, agent: Agent, typed: str, kept: str):
    number = Number(tenant=acme, number=typed, agent=agent)
    with scope(tenant=acme):
        number.full_clean()
    assert number.number == kept


@pytest.mark.parametrize("typed", ["", "12 ab;", "sip:100@x", "é", "1" * 65])
def test_a_number_that_is_none_is_refused(acme: Tenant, agent: Agent, typed: str):
    with scope(tenant=acme), pytest.raises(ValidationError) as caught:
        Number(tenant=acme, number=typed, agent=agent).full_clean()
    assert "number" in caught.value.message_dict


def test_only_a_refused_call_may_be_nobodys(db: None):
    with pytest.raises(IntegrityError, match="call_has_tenant"), transaction.atomic():
        Call.all_tenants.create(called="1", state="ringing", started_at=NOW)
    Call.all_tenants.create(
        called="1", state="refused", refusal_reason="unknown_number", started_at=NOW, ended_at=NOW
    )


def test_a_refusal_has_a_reason_and_an_end(acme: Tenant):
    for wrong in (
        {"state": "refused", "ended_at": NOW},
        {"state": "running", "refusal_reason": "unknown_number"},
        {"state": "running", "ended_at": NOW},
        {"state": "ended"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Call.all_tenants.create(tenant=acme, called="1", started_at=NOW, **wrong)


def test_there_is_one_row_of_platform_settings(db: None):
    PlatformSettings(voice="marin").save()
    PlatformSettings(voice="cedar").save()
    assert PlatformSettings.objects.get().voice == "cedar"


def test_an_email_address_is_one_person_in_any_case(alice: User):
    with pytest.raises(ValidationError):
        User.objects.create_user(email="ALICE@acme.example", password="x")


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Dialect",
        "AudioFormat",
        "VadMode",
        "LocalVad",
        "Eagerness",
        "NoiseReduction",
        "RefusalReason",
        "EndCause",
        "ProblemKind",
        "Speaker",
        "ToolState",
        "CallKind",
        "NoteKind",
        "UsageKind",
    ],
)
def test_choices_are_the_words_of_the_contract(name: str):
    assert set(getattr(choices, name).values) == {
        member.value for member in getattr(contract, name)
    }


@pytest.mark.parametrize(
    "uri",
    [
        "sip:sales@127.0.0.1:5080",
        "sips:+49301234@pbx.example.com;user=phone",
        "sip:pbx.example.com",
        "sip:a@[2001:db8::1]:5060",
        "tel:+49-30-1234",
        "tel:7042;phone-context=example.com",
    ],
)
def test_a_transfer_address_is_accepted(uri: str):
    validate_transfer_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "sales@pbx",
        "http://pbx.example.com",
        "sip:",
        "sip:a b@c",
        "sip:a@b>\r\nX: y",
        'sip:"a"@b',
        "sip:a@",
        "tel:sales",
        "sip:a@" + "b" * 300,
    ],
)
def test_a_transfer_address_that_is_none_is_refused(uri: str):
    with pytest.raises(ValidationError):
        validate_transfer_uri(uri)


@pytest.mark.parametrize(
    "targets",
    [
        {},
        [1],
        [{"name": "a", "uri": "sip:a@b", "extra": "x"}],
        [{"name": "a", "uri": "sip:a@b"}, {"name": "a", "uri": "sip:c@d"}],
        [{"name": "a", "uri": 5}],
        [{"name": "a", "uri": "sip:a@b", "description": "x" * 501}],
        [{"name": f"n{n}", "uri": "sip:a@b"} for n in range(51)],
    ],
)
def test_transfer_targets_that_are_none_are_refused(targets: Any):
    with pytest.raises(ValidationError):
        validate_transfer_targets(targets)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/realtime",
        "wss://",
        "wss://user:pass@host/x",
        "wss://host/x#y",
        "wss://host:99999/x",
        "wss://ho st/x",
        "",
    ],
)
def test_a_provider_address_that_is_none_is_refused(url: str):
    with pytest.raises(ValidationError):
        validate_provider_url(url)


def test_provider_addresses_are_accepted():
    validate_provider_url("wss://api.openai.com/v1/realtime")
    validate_provider_url("ws://127.0.0.1:8090/v1/realtime?misbehave=quota")


def test_a_greeting_may_be_empty_and_an_apology_may_not():
    validate_greetings({"en": "", "de-AT": "Grüß Gott"})
    with pytest.raises(ValidationError):
        validate_apologies({"en": ""})


@pytest.mark.parametrize("value", ["1", "4096", "inf"])
def test_token_limits_are_accepted(value: str):
    validate_max_output_tokens(value)
