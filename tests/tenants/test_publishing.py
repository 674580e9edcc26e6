"""Drafts, revisions, and who saved first."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from tenants.models import Agent, AgentRevision, AuditEntry, Tenant, User
from tenants.services.publishing import (
    DraftConflict,
    has_unpublished_changes,
    publish,
    roll_back,
    save_draft,
)


def test_a_revision_is_the_draft_as_it_was(agent: Agent, alice: User):
    agent.voice = "cedar"
    save_draft(agent=agent, user=alice)
    revision = publish(agent=agent, user=alice, note="Warmer voice")
    assert (revision.number, revision.voice, revision.note) == (1, "cedar", "Warmer voice")
    assert revision.transfer_targets == agent.transfer_targets
    assert revision.published_by == alice
    agent.voice = "ash"
    save_draft(agent=agent, user=alice)
    assert AgentRevision.all_tenants.get(pk=revision.pk).voice == "cedar"
    assert agent.published == revision
    assert publish(agent=agent, user=alice).number == 2


def test_rolling_back_publishes_the_old_one_again(agent: Agent, alice: User):
    agent.voice = "cedar"
    save_draft(agent=agent, user=alice)
    first = publish(agent=agent, user=alice)
    agent.voice = "ash"
    save_draft(agent=agent, user=alice)
    publish(agent=agent, user=alice)
    again = roll_back(agent=agent, revision=first, user=alice)
    assert (again.number, again.voice) == (3, "cedar")
    assert agent.published == again
    # The draft is somebody's work and stays.
    assert Agent.all_tenants.get(pk=agent.pk).voice == "ash"
    assert has_unpublished_changes(agent)


def test_another_agents_revision_is_not_rolled_back_to(published: Agent, acme: Tenant):
    other = Agent.all_tenants.create(tenant=acme, name="Other")
    assert published.published is not None
    with pytest.raises(ValueError, match="another agent"):
        roll_back(agent=other, revision=published.published, user=None)


def test_changes_since_the_last_revision_are_known(agent: Agent, alice: User):
    assert has_unpublished_changes(agent)
    publish(agent=agent, user=alice)
    assert not has_unpublished_changes(agent)
    agent.instructions = "Other words."
    assert has_unpublished_changes(agent)


def test_whoever_saves_second_is_told(agent: Agent, alice: User, bob: User):
    seen = agent.draft_version
    mine, theirs = Agent.all_tenants.get(pk=agent.pk), Agent.all_tenants.get(pk=agent.pk)
    mine.voice = "cedar"
    save_draft(agent=mine, user=alice, expected_version=seen)
    theirs.voice = "ash"
    with pytest.raises(DraftConflict):
        save_draft(agent=theirs, user=bob, expected_version=seen)
    with pytest.raises(DraftConflict):
        publish(agent=theirs, user=bob, expected_version=seen)
    stored = Agent.all_tenants.get(pk=agent.pk)
    assert (stored.voice, stored.draft_version, stored.updated_by) == ("cedar", seen + 1, alice)
    assert stored.published is None


def test_a_wrong_draft_is_not_saved(agent: Agent, alice: User):
    agent.speed = 9.0
    with pytest.raises(ValidationError) as caught:
        save_draft(agent=agent, user=alice)
    assert "speed" in caught.value.message_dict
    assert Agent.all_tenants.get(pk=agent.pk).speed is None


def test_what_is_published_is_the_stored_draft(agent: Agent, alice: User):
    agent.voice = "never saved"
    assert publish(agent=agent, user=alice).voice is None


def test_values_that_cannot_hold_together_are_not_published(agent: Agent, alice: User):
    agent.vad_mode = "local"
    save_draft(agent=agent, user=alice)
    with pytest.raises(ValidationError) as caught:
        publish(agent=agent, user=alice)
    assert "local_vad" in caught.value.message_dict
    assert agent.published is None


def test_a_new_agent_is_saved(acme: Tenant, alice: User):
    agent = save_draft(agent=Agent(tenant=acme, name="Night"), user=alice)
    assert Agent.all_tenants.get(pk=agent.pk).draft_version == 1
    with pytest.raises(ValidationError, match="exists already"):
        save_draft(agent=Agent(tenant=acme, name="Night"), user=alice)


def test_each_change_is_in_the_audit_log(agent: Agent, alice: User):
    save_draft(agent=agent, user=alice)
    revision = publish(agent=agent, user=alice)
    roll_back(agent=agent, revision=revision, user=alice)
    entries = AuditEntry.all_tenants.filter(tenant=agent.tenant, user=alice).order_by("pk")
    assert [entry.action for entry in entries] == ["agent.edit", "agent.publish", "agent.roll_back"]


def test_saving_a_draft_that_was_read_before_a_publication_keeps_the_publication(
    published: Agent, alice: User
):
    read_before = Agent.all_tenants.get(pk=published.pk)
    newest = publish(agent=published, user=alice)
    read_before.voice = "cedar"
    save_draft(agent=read_before, user=alice)
    assert Agent.all_tenants.get(pk=published.pk).published == newest


def test_a_list_of_agents_knows_what_is_published_without_further_queries(
    published: Agent, django_assert_num_queries
):
    with django_assert_num_queries(1):
        (agent,) = Agent.all_tenants.select_related("published_revision")
        assert agent.published is not None
        assert agent.published.number == 1


def test_a_revision_takes_the_fallback_over(agent: Agent, alice: User, make_account):
    agent.fallback_account = make_account(agent.tenant, name="Second")
    agent.fallback_target = "sales"
    save_draft(agent=agent, user=alice)
    revision = publish(agent=agent, user=alice)
    assert (revision.fallback_account, revision.fallback_target) == (
        agent.fallback_account,
        "sales",
    )
    agent.fallback_target = ""
    save_draft(agent=agent, user=alice)
    assert has_unpublished_changes(agent)


def test_revisions_are_numbered_on_whatever_the_draft_knows_of_them(published: Agent, alice: User):
    Agent.all_tenants.filter(pk=published.pk).update(published_revision=None)
    assert publish(agent=published, user=alice).number == 2
