"""What the operator does: customers, defaults, the catalogue; and whom it concerns."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from tenants.models import Agent, AuditEntry, Invitation, ProviderAccount, Tenant, User
from tenants.services import catalogue, members
from tenants.services.effective import effective_settings, platform_settings, tenant_settings
from tenants.services.explorer import affected_by
from tenants.services.platform import save_platform_settings
from tenants.services.publishing import publish
from tenants.services.tenants import change_tenant, create_tenant, resume, suspend
from tests.tenants.money import make_model


def entry(action: str) -> AuditEntry:
    return AuditEntry.all_tenants.get(action=action)


# --- customers -----------------------------------------------------------------------------------


def test_a_customer_comes_with_an_invited_owner(olga: User, alice: User):
    created = create_tenant(
        tenant=Tenant(name="Cedar", slug="cedar"), owner_email="Cora@Cedar.example", user=olga
    )
    invitation = Invitation.all_tenants.get(tenant=created.tenant)
    assert (invitation.email, invitation.role) == ("cora@cedar.example", "owner")
    assert members.find_invitation(created.token) == invitation
    assert entry("tenant.create").changes["slug"] == [None, "cedar"]


def test_a_customer_without_a_good_address_for_its_owner_is_not_made(olga: User):
    with pytest.raises(ValidationError):
        create_tenant(tenant=Tenant(name="Cedar", slug="cedar"), owner_email="nobody", user=olga)
    assert not Tenant.objects.filter(slug="cedar").exists()


def test_limits_are_kept_with_old_and_new_value(acme: Tenant, olga: User):
    acme.max_calls_a_minute = 30
    change_tenant(tenant=acme, user=olga)
    assert entry("tenant.edit").changes == {"max_calls_a_minute": [None, 30]}
    acme.max_calls_a_minute = 0
    with pytest.raises(ValidationError):
        change_tenant(tenant=acme, user=olga)


def test_a_customer_is_switched_off_and_on(acme: Tenant, olga: User):
    suspend(tenant=acme, user=olga)
    suspend(tenant=acme, user=olga)
    assert not Tenant.objects.get(pk=acme.pk).is_active
    assert entry("tenant.suspend").changes == {"is_active": [True, False]}
    resume(tenant=acme, user=olga)
    assert Tenant.objects.get(pk=acme.pk).is_active


# --- defaults ------------------------------------------------------------------------------------


def test_defaults_and_locks_are_saved_with_their_change(olga: User):
    row = platform_settings()
    row.voice, row.locked = "cedar", ["voice"]
    save_platform_settings(row=row, user=olga)
    changes = entry("platform.edit").changes
    assert changes["voice"] == ["marin", "cedar"]
    assert changes["locked"] == [[], ["voice"]]


def test_defaults_that_cannot_hold_together_are_refused(olga: User):
    row = platform_settings()
    row.vad_mode, row.local_vad = "local", "off"
    with pytest.raises(ValidationError) as refused:
        save_platform_settings(row=row, user=olga)
    assert "local_vad" in refused.value.message_dict


@pytest.fixture
def agents(acme: Tenant, birch: Tenant, alice: User, account: ProviderAccount) -> dict[str, Agent]:
    """Three that have a voice from each of the levels, one of another customer, one published."""
    tenant_settings(birch)
    row = tenant_settings(acme)
    row.model = "tenants-model"
    row.save()

    def make(tenant: Tenant, name: str, **fields: Any) -> Agent:
        return Agent.all_tenants.create(tenant=tenant, name=name, **fields)

    found = {
        "own": make(acme, "own", voice="ash"),
        "plain": make(acme, "plain"),
        "other": make(birch, "other"),
        "published": make(acme, "published", voice="sage", provider_account=account),
    }
    publish(agent=found["published"], user=alice, note="first")
    found["published"].voice = "a draft's own"
    found["published"].save()
    return found


def test_the_explorer_says_what_calls_get(agents: dict[str, Agent]):
    for row in affected_by(name="voice"):
        agent = agents[row.holder.agent_name]
        source = agent.published or agent
        value = effective_settings(tenant=agent.tenant, source=source)["voice"]
        assert (row.now, row.level) == (value.value, value.level)
        assert not row.changes


def test_another_default_changes_those_who_inherit_it(agents: dict[str, Agent]):
    rows = affected_by(name="voice", value="cedar")
    assert {row.holder.agent_name for row in rows if row.changes} == {"plain", "other"}
    rows = affected_by(name="model", value="new")
    assert {row.holder.agent_name for row in rows if row.changes} == {"other"}


def test_a_lock_changes_those_who_override(agents: dict[str, Agent]):
    rows = affected_by(name="voice", locked=True)
    assert {row.holder.agent_name for row in rows if row.changes} == {"own", "published"}
    row = platform_settings()
    row.locked = ["voice"]
    row.save()
    rows = affected_by(name="voice", locked=False)
    assert {row.now for row in rows} == {"marin"}
    assert {row.holder.agent_name for row in rows if row.changes} == {"own", "published"}


def test_the_explorer_takes_three_queries(agents: dict[str, Agent], django_assert_num_queries: Any):
    platform_settings()
    with django_assert_num_queries(3):
        affected_by(name="voice", value="cedar")


def test_what_is_no_setting_with_one_value_cannot_be_explored(db: None):
    for name in ("greetings", "tenant_id", "secret"):
        with pytest.raises(KeyError):
            affected_by(name=name)


# --- the catalogue -------------------------------------------------------------------------------


@pytest.fixture
def ending(account: ProviderAccount) -> date:
    """A day on which the model "old" of OpenAI is shut down; Acme's account is there."""
    ProviderAccount.all_tenants.update(url="wss://api.openai.com/v1/realtime")
    day = timezone.now().date() + timedelta(days=30)
    make_model("old", shutdown_on=day, replacement="new")
    make_model("old-ears", kind="transcription", shutdown_on=day)
    make_model("far", shutdown_on=day + timedelta(days=600))
    return day


def concerned(tenant: Tenant | None = None) -> set[tuple[str, str, str]]:
    return {
        (use.holder.agent_name, use.model.name, use.setting) for use in catalogue.warnings(tenant)
    }


def test_a_shutdown_concerns_who_uses_the_model(
    acme: Tenant, birch: Tenant, account: ProviderAccount, alice: User, ending: date
):
    row = tenant_settings(acme)
    row.provider_account, row.transcription_model = account, "old-ears"
    row.save()
    Agent.all_tenants.create(tenant=acme, name="inherits")
    Agent.all_tenants.create(tenant=acme, name="own", model="old", transcription_model="new-ears")
    Agent.all_tenants.create(tenant=acme, name="far", model="far", transcription_model="")
    Agent.all_tenants.create(tenant=birch, name="at nobody's", model="old")
    assert concerned() == {
        ("inherits", "old-ears", "transcription_model"),
        ("own", "old", "model"),
    }
    assert concerned(birch) == set()


def test_what_counts_is_what_is_published(
    acme: Tenant, account: ProviderAccount, alice: User, ending: date
):
    agent = Agent.all_tenants.create(
        tenant=acme, name="a", provider_account=account, model="old", instructions="Be brief."
    )
    publish(agent=agent, user=alice, note="")
    agent.model = "new"
    agent.save()
    assert ("a", "old", "model") in concerned(acme)


def test_a_model_that_is_gone_is_still_warned_of(
    acme: Tenant, account: ProviderAccount, ending: date
):
    make_model("old", shutdown_on=timezone.now().date())
    Agent.all_tenants.create(tenant=acme, name="a", provider_account=account, model="old")
    [use] = catalogue.warnings(acme)
    assert use.is_over


def test_a_model_is_kept_with_its_change(olga: User):
    model = make_model("m")
    model.shutdown_on = date(2027, 1, 20)
    catalogue.save_model(model=model, user=olga)
    assert entry("model.edit").changes["shutdown_on"] == [None, "2027-01-20"]
    model.name = " "
    with pytest.raises(ValidationError):
        catalogue.save_model(model=model, user=olga)
