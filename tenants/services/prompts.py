"""Prompts: what an agent says first, made into speech before somebody calls.

A row is the job too: whoever needs a prompt makes its row, and beat finds it (`take_due`) and has
it rendered. So no page and no call waits for a broker, and a text is never queued twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

import structlog
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop
from django_scopes import scopes_disabled

from media_worker import contract
from media_worker.contract import PromptKind
from pbxai.crypto import SecretError
from tenants.models import Agent, AgentRevision, Call, Prompt, ProviderAccount, Tenant, User
from tenants.models.choices import PromptState
from tenants.models.settings import SettingsFields
from tenants.services import audit, speech
from tenants.services.accounts import provider_access
from tenants.services.effective import (
    EffectiveSettings,
    Level,
    merge,
    platform_settings,
    tenant_settings,
)
from tenants.services.speech import SpeechError
from tenants.services.text import plain

log = structlog.get_logger(__name__)

KEPT_DAYS: Final = 30
"""A prompt that no call and no published agent needed for so long is deleted."""
USED_STEP: Final = timedelta(hours=6)
"""`used_at` is written no more often; a number that is called each second is one row."""
LEASE: Final = timedelta(minutes=5)
"""A job that has not ended after so long was lost."""
AFTER_FAILURE: Final = (
    timedelta(seconds=20),
    timedelta(minutes=2),
    timedelta(minutes=15),
    timedelta(hours=2),
    timedelta(hours=12),
)
"""Waited after the first failure, the second, and so on; the last for all others."""
AT_ONCE: Final = 20
"""Prompts that beat takes at a time."""
KEY_UNREADABLE: Final = gettext_noop("The account's key cannot be read; give it once more.")


ORDERS: Final = 40
"""Texts of drafts that one person may have rendered in ORDER_SECONDS: each costs money."""
ORDER_SECONDS: Final = 3600


class OrderedEnough(Exception):  # noqa: N818 - says what is the matter
    """The person has had so many texts of drafts rendered that the next has to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A text that is said on calls, and by whom."""

    kind: PromptKind
    language: str
    text: str
    account: ProviderAccount
    voice: str
    speed: float

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same on each call; one with variables is said by the provider."""
        return _is_fixed(self.text)


def prepare(agent: Agent) -> None:
    """See that there is a prompt for all that the published agent says first."""
    _want(agent.tenant, spoken_by(agent))


def prepare_all(tenant: Tenant | None = None) -> None:
    """The same for every agent (of a tenant)."""
    agents = Agent.all_tenants.select_related("tenant").filter(tenant__is_active=True)
    for agent in agents.filter(tenant=tenant) if tenant else agents:
        with scopes_disabled():
            prepare(agent)


def spoken_by(agent: Agent) -> list[Spoken]:
    """What calls of the published agent begin with and is made beforehand."""
    if agent.published is None:
        return []
    return [one for one in _first_words(agent.published, _around(agent)) if one.is_fixed]


def first_words(agent: Agent) -> tuple[list[Spoken], list[Spoken]]:
    """What calls of the published agent begin with, and what else the draft says; live ones too.

    Of the draft, each language that the tenant has written a text in, whether a number has it
    or not.
    """
    around = _around(agent)
    published = _first_words(agent.published, around) if agent.published else []
    draft = _first_words(agent, around, every_language=True)
    return published, [one for one in draft if one not in published]


def order(agent: Agent, *, user: User) -> None:
    """See that what the draft says first is rendered, for a person who wants to hear it.

    Raises OrderedEnough.
    """
    found = _first_words(agent, _around(agent), every_language=True)
    spoken = [one for one in found if one.is_fixed]
    rows = find(agent.tenant, spoken)
    wanted = [one for one, row in zip(spoken, rows, strict=True) if row is None]
    if not wanted:
        return
    key = f"prompts-ordered:{agent.tenant.pk}:{user.pk}"
    cache.add(key, 0, ORDER_SECONDS)
    if cache.incr(key, len(wanted)) > ORDERS:
        raise OrderedEnough
    _want(agent.tenant, wanted)
    audit.record("prompt.order", agent, tenant=agent.tenant, user=user, texts=len(wanted))


def for_call(call: Call) -> tuple[contract.Prompt, ...]:
    """The prompts of an admitted call that are ready; those that are not are ordered."""
    used, account = call.settings_used, call.account
    if call.tenant is None or account is None:
        return ()
    wanted = [
        Spoken(
            kind=kind,
            language=used[kind.value]["language"],
            text=used[kind.value]["value"],
            account=account,
            voice=used["voice"]["value"],
            speed=used["speed"]["value"],
        )
        for kind in PromptKind
        if used.get(kind.value) and _is_fixed(used[kind.value]["value"])
    ]
    rows = _want(call.tenant, wanted)
    return tuple(
        contract.Prompt(
            kind=spoken.kind,
            language=row.language,
            text=row.text,
            digest=row.digest,
            duration_ms=row.duration_ms,
        )
        for spoken, row in zip(wanted, rows, strict=True)
        if row.state == PromptState.READY
    )


def find(tenant: Tenant, wanted: Sequence[Spoken]) -> list[Prompt | None]:
    """The row of each text, None where there is none; one query."""
    keys = [_key(spoken) for spoken in wanted]
    digests = [key["text_digest"] for key in keys]
    rows = Prompt.all_tenants.select_related("account", "tenant").filter(
        tenant=tenant, text_digest__in=digests
    )
    known = {tuple(getattr(row, name) for name in KEY): row for row in rows}
    return [known.get(tuple(key[name] for name in KEY)) for key in keys]


def take_due() -> list[int]:
    """Prompts that are to be rendered now; each is given to one caller only."""
    now = timezone.now()
    due = Q(state=PromptState.WAITING) & (Q(tried_at=None) | Q(tried_at__lt=now - LEASE))
    for attempts, pause in enumerate(AFTER_FAILURE, 1):
        is_last = attempts == len(AFTER_FAILURE)
        so_often = Q(attempts__gte=attempts) if is_last else Q(attempts=attempts)
        due |= Q(state=PromptState.FAILED, tried_at__lt=now - pause) & so_often
    # What nobody has tried comes first: an account that fails must not hold the others up.
    candidates = Prompt.all_tenants.filter(due).order_by("attempts", "created_at")[:AT_ONCE]
    return [
        pk
        for pk, tried_at in candidates.values_list("pk", "tried_at")
        if Prompt.all_tenants.filter(pk=pk, tried_at=tried_at).update(
            tried_at=now, state=PromptState.WAITING
        )
    ]


def render(pk: int) -> None:
    """Have a prompt spoken and keep it, or keep why not. Nothing happens to one that is ready."""
    prompt = (
        Prompt.all_tenants.select_related("tenant", "account")
        .exclude(state=PromptState.READY)
        .filter(pk=pk)
        .first()
    )
    if prompt is None:
        return
    try:
        wav = speech.speak(
            provider_access(prompt.account),
            text=prompt.text,
            language=prompt.language,
            voice=prompt.voice,
            speed=prompt.speed,
        )
    except SecretError:
        _note_failure(prompt, KEY_UNREADABLE, "")
    except SpeechError as error:
        _note_failure(prompt, error.reason, error.detail)
    else:
        _keep(prompt, wav)


def file_of(digest: str) -> bytes | None:
    """The file of a ready prompt; None where there is none, and a lost one is made anew."""
    prompt = Prompt.all_tenants.filter(digest=digest, state=PromptState.READY).first()
    return _read(prompt) if prompt else None


def listen(prompt: Prompt, *, user: User) -> bytes | None:
    """The sound for a person; on record."""
    wav = _read(prompt)
    if wav is not None:
        audit.record("prompt.listen", prompt, tenant=prompt.tenant, user=user)
    return wav


def tidy() -> int:
    """Delete what was not needed for long, with its files; gives the number."""
    prepare_all()  # what a published agent says is needed, though nobody called
    before = timezone.now() - timedelta(days=KEPT_DAYS)
    old = Prompt.all_tenants.filter(Q(used_at__lt=before) | Q(used_at=None, created_at__lt=before))
    count = 0
    for prompt in old.iterator():
        name = prompt.file.name
        gone, _by_kind = old.filter(pk=prompt.pk).delete()
        if gone and name:
            prompt.file.storage.delete(name)
        count += gone
    return count


# --- rows ----------------------------------------------------------------------------------------


class _Around(NamedTuple):
    """What an agent's draft and revisions have in common."""

    levels: list[tuple[Level, SettingsFields]]
    """Those above the agent."""
    languages: list[str]
    """Of its numbers; empty: the agent's own."""


def _around(agent: Agent) -> _Around:
    levels: list[tuple[Level, SettingsFields]] = [
        ("platform", platform_settings()),
        ("tenant", tenant_settings(agent.tenant)),
    ]
    return _Around(levels, list(agent.numbers.values_list("language", flat=True).distinct()))


def _first_words(
    source: Agent | AgentRevision, around: _Around, *, every_language: bool = False
) -> list[Spoken]:
    """In the languages that calls of the agent have, or in all that the tenant has written."""
    settings = merge([*around.levels, ("agent", source)])
    languages = dict.fromkeys(language or settings.language for language in ("", *around.languages))
    if every_language:
        languages |= dict.fromkeys(_written(settings))
    found = [spoken for language in languages for spoken in _spoken(settings, language)]
    return list({(spoken.kind, spoken.language, spoken.text): spoken for spoken in found}.values())


def _written(settings: EffectiveSettings) -> Iterable[str]:
    """The languages of the texts that are the tenant's own."""
    texts = [settings.greetings, *([settings.consents] if settings["record"].value else [])]
    return (
        code for each in texts for code, value in each.items() if value.level in {"tenant", "agent"}
    )


def _spoken(settings: EffectiveSettings, language: str) -> Iterable[Spoken]:
    account = settings.provider_account
    if account is None:
        return
    texts = {PromptKind.GREETING: settings.greeting(language)}
    if settings["record"].value:
        texts[PromptKind.CONSENT] = settings.consent(language)
    for kind, found in texts.items():
        if found is not None:
            yield Spoken(
                kind=kind,
                language=found[0],
                text=found[1].value,
                account=account,
                voice=settings["voice"].value,
                speed=settings["speed"].value,
            )


def _is_fixed(text: str) -> bool:
    """Whether a text is the same on each call; one with variables is said by the provider."""
    return contract.VARIABLE.search(text) is None


KEY: Final = ("account", "voice", "speed", "language", "text_digest")


def _key(wanted: Spoken) -> dict[str, object]:
    return {
        "account": wanted.account,
        "voice": wanted.voice,
        "speed": wanted.speed,
        "language": wanted.language,
        "text_digest": hashlib.sha256(wanted.text.encode()).hexdigest(),
    }


def _want(tenant: Tenant, wanted: Sequence[Spoken]) -> list[Prompt]:
    """The rows of these texts, new ones to be rendered; all are in use as of now."""
    now = timezone.now()
    rows = [
        Prompt.all_tenants.get_or_create(
            tenant=tenant, **_key(spoken), defaults={"text": spoken.text, "used_at": now}
        )[0]
        for spoken in wanted
    ]
    stale = [row.pk for row in rows if row.used_at is None or row.used_at < now - USED_STEP]
    if stale:
        Prompt.all_tenants.filter(pk__in=stale).update(used_at=now)
    return rows


def _keep(prompt: Prompt, wav: bytes) -> None:
    prompt.digest = hashlib.sha256(wav).hexdigest()
    prompt.file.save("", ContentFile(wav), save=False)
    name = str(prompt.file.name)
    kept = Prompt.all_tenants.filter(pk=prompt.pk).update(
        state=PromptState.READY,
        error="",
        file=name,
        digest=prompt.digest,
        duration_ms=speech.duration_ms(wav),
        attempts=prompt.attempts + 1,
        rendered_at=timezone.now(),
    )
    if not kept:  # deleted meanwhile
        prompt.file.storage.delete(name)
    log.info("prompt_ready", prompt=str(prompt.public_id), language=prompt.language)


def _note_failure(prompt: Prompt, reason: str, detail: str) -> None:
    Prompt.all_tenants.filter(pk=prompt.pk).exclude(state=PromptState.READY).update(
        state=PromptState.FAILED,
        error=plain("\n".join(filter(None, [reason, detail]))),
        attempts=prompt.attempts + 1,
        tried_at=timezone.now(),
    )
    log.warning("prompt_failed", prompt=str(prompt.public_id), reason=reason)


def _read(prompt: Prompt) -> bytes | None:
    try:
        with prompt.file.open("rb") as file:
            wav: bytes = file.read()
    except FileNotFoundError:
        pass
    except Exception:  # the storage may be anybody's
        log.exception("prompt_not_readable", prompt=str(prompt.public_id))
        return None
    else:
        return wav
    log.error("prompt_file_lost", prompt=str(prompt.public_id))
    Prompt.all_tenants.filter(pk=prompt.pk).update(
        state=PromptState.WAITING, digest="", file="", tried_at=None, attempts=0
    )
    return None
