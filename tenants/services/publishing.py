"""An agent's draft, and its revisions that answer calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from django_scopes import scope

from tenants.models import Agent, AgentRevision, Tenant, User
from tenants.models.settings import SETTING_NAMES
from tenants.services import audit, prompts
from tenants.services.effective import (
    TEXT_NAMES,
    VALUE_NAMES,
    EffectiveSettings,
    EffectiveValue,
    effective_settings,
)

CONTENT: Final = (
    *SETTING_NAMES,
    "name",
    "hang_up_enabled",
    "transfer_targets",
    "fallback_account",
    "fallback_target",
)
"""What a revision takes over from a draft."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One thing that two states of an agent say differently, with what calls get of each."""

    name: str
    language: str = ""
    """Of a text that is set language by language."""
    old: EffectiveValue | None
    """None: there was nothing."""
    new: EffectiveValue | None

    @property
    def is_felt(self) -> bool:
        """Whether callers get something else; not when a value that was inherited is now set."""
        old, new = (value.value if value else None for value in (self.old, self.new))
        return bool(old != new)


class DraftConflict(Exception):  # noqa: N818 - says what is the matter
    """Somebody else saved the draft meanwhile; nothing was written."""


def save_draft(*, agent: Agent, user: User | None, expected_version: int | None = None) -> Agent:
    """Check and save an agent's draft, a new one too.

    `expected_version` is the draft_version that the person saw. Raises ValidationError, or
    DraftConflict when the draft has another version by now.
    """
    with scope(tenant=agent.tenant), transaction.atomic():
        is_new = agent.pk is None
        stored = None if is_new else _lock(agent, expected_version)
        if stored:
            agent.draft_version = stored.draft_version + 1
            # Somebody may have published since this draft was read; that is no conflict.
            agent.published_revision = stored.published_revision
        agent.updated_by = user
        agent.full_clean()
        agent.save()
        audit.record(
            "agent.create" if is_new else "agent.edit",
            agent,
            tenant=agent.tenant,
            user=user,
            changes=audit.diff(stored, agent, CONTENT),
            draft_version=agent.draft_version,
        )
    return agent


def publish(
    *, agent: Agent, user: User | None, note: str = "", expected_version: int | None = None
) -> AgentRevision:
    """Make the stored draft the revision that answers new calls; calls that run keep theirs.

    Raises ValidationError when the draft's values cannot hold together, DraftConflict when the
    draft is not the one that the person saw.
    """
    with scope(tenant=agent.tenant), transaction.atomic():
        draft = _lock(agent, expected_version)
        draft.full_clean()
        conflicts = effective_settings(tenant=draft.tenant, source=draft).conflicts()
        if conflicts:
            raise ValidationError({name: [words] for name, words in conflicts.items()})
        revision = _publish(draft, draft, user, note, "agent.publish")
    agent.published_revision = revision
    return revision


def roll_back(
    *, agent: Agent, revision: AgentRevision, user: User | None, note: str = ""
) -> AgentRevision:
    """Publish an old revision once more, as a new number; the draft stays as it is."""
    if revision.agent_id != agent.pk:
        raise ValueError("The revision is another agent's.")
    with scope(tenant=agent.tenant), transaction.atomic():
        draft = _lock(agent, None)
        words = note or _("Revision %(number)d again") % {"number": revision.number}
        newest = _publish(draft, revision, user, words, "agent.roll_back")
    agent.published_revision = newest
    return newest


def take(
    *,
    agent: Agent,
    revision: AgentRevision,
    user: User | None,
    expected_version: int | None = None,
) -> Agent:
    """Put what a revision says into the draft; what that said is lost. Raises as save_draft."""
    if revision.agent_id != agent.pk:
        raise ValueError("The revision is another agent's.")
    for name, value in _content(revision).items():
        setattr(agent, name, value)
    return save_draft(agent=agent, user=user, expected_version=expected_version)


def has_unpublished_changes(agent: Agent) -> bool:
    """Whether the draft differs from what answers calls."""
    published = agent.published
    return published is None or _stored(agent) != _stored(published)


def effects(
    *, old: Agent | AgentRevision | None, new: Agent | AgentRevision, tenant: Tenant
) -> list[Effect]:
    """What calls get of `new` that they do not get of `old` (None: nothing yet), with the values
    that both inherit today; and what only one of them sets itself.
    """
    before = effective_settings(tenant=tenant, source=old) if old else None
    after = effective_settings(tenant=tenant, source=new)
    found = [
        Effect(name=name, old=before[name] if before else None, new=after[name])
        for name in VALUE_NAMES
    ]
    for name in TEXT_NAMES:
        found += _texts(name, before, after)
    found += [
        Effect(name=name, old=_own(old, name) if old else None, new=_own(new, name))
        for name in CONTENT
        if name not in SETTING_NAMES
    ]
    return [effect for effect in found if effect.is_felt or _is_set_otherwise(effect)]


def _texts(name: str, before: EffectiveSettings | None, after: EffectiveSettings) -> list[Effect]:
    old, new = getattr(before, name) if before else {}, getattr(after, name)
    return [
        Effect(name=name, language=code, old=old.get(code), new=new.get(code))
        for code in sorted({*old, *new})
    ]


def _own(source: Agent | AgentRevision, name: str) -> EffectiveValue:
    value = getattr(source, name)
    return EffectiveValue(value, "agent", value, "agent")


def _is_set_otherwise(effect: Effect) -> bool:
    return bool(effect.old and effect.new and effect.old.level != effect.new.level)


def _stored(source: Agent | AgentRevision) -> dict[str, Any]:
    """The content as its row has it: an account by its key, without a query."""
    return {name: source.serializable_value(name) for name in CONTENT}


def _publish(
    agent: Agent, source: Agent | AgentRevision, user: User | None, note: str, action: str
) -> AgentRevision:
    last = AgentRevision.all_tenants.filter(agent=agent).aggregate(Max("number"))["number__max"]
    revision = AgentRevision(
        tenant=agent.tenant,
        agent=agent,
        number=(last or 0) + 1,
        note=note[:300],
        published_by=user,
        **_content(source),
    )
    revision.save()
    agent.published_revision = revision
    agent.save(update_fields=["published_revision"])
    audit.record(action, agent, tenant=agent.tenant, user=user, revision=revision.number, note=note)
    prompts.prepare(agent)
    return revision


def _content(source: Agent | AgentRevision) -> dict[str, Any]:
    return {name: getattr(source, name) for name in CONTENT}


def _lock(agent: Agent, expected_version: int | None) -> Agent:
    """The stored draft, held to the end of the transaction; it numbers the revisions too."""
    draft = (
        Agent.all_tenants.select_for_update(of=("self",)).select_related("tenant").get(pk=agent.pk)
    )
    if expected_version is not None and draft.draft_version != expected_version:
        raise DraftConflict
    return draft
