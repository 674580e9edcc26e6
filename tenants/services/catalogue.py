"""The catalogue of providers' models: kept by the operator, and whom a shutdown concerns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from tenants.models import ProviderAccount, ProviderModel, Tenant, User
from tenants.models.choices import ModelKind, Provider
from tenants.services import audit, levels
from tenants.services.levels import Holder, Levels
from tenants.services.prices import provider_of

AUDITED: Final = (
    "provider",
    "name",
    "kind",
    "formats",
    "voices",
    "context_tokens",
    "shutdown_on",
    "replacement",
    "is_offered",
    "note",
)
SETTINGS: Final = ("model", "transcription_model")
"""Settings that name a model."""
AHEAD: Final = timedelta(days=180)
"""A shutdown that is farther away needs nobody yet."""


@dataclass(frozen=True)
class Offered:
    """What is suggested where a model or a voice is chosen; never required."""

    models: list[str]
    transcription_models: list[str]
    voices: list[str]


def offered() -> Offered:
    """The names in the catalogue that the operator offers, each once."""
    found = list(ProviderModel.objects.filter(is_offered=True).order_by("provider", "name"))
    by_kind = {
        kind: list(dict.fromkeys(model.name for model in found if model.kind == kind))
        for kind in ModelKind
    }
    voices = dict.fromkeys(voice for model in found for voice in model.voices)
    return Offered(by_kind[ModelKind.REALTIME], by_kind[ModelKind.TRANSCRIPTION], list(voices))


@dataclass(frozen=True)
class Use:
    """An agent that uses a model of the catalogue, and by which setting."""

    holder: Holder
    model: ProviderModel
    setting: str

    @property
    def is_over(self) -> bool:
        """The model is shut down already."""
        end = self.model.shutdown_on
        return end is not None and end <= timezone.now().date()


def warnings(
    tenant: Tenant | None = None, *, accounts: Iterable[ProviderAccount] | None = None
) -> list[Use]:
    """Agents of a tenant, or of all, whose model is or will soon be shut down, by its day;
    `accounts`: all that they may use, if they are known.
    """
    models = list(ProviderModel.objects.filter(shutdown_on__lte=_last()))
    return ending(uses(models, tenant=tenant, accounts=accounts)) if models else []


def ending(found: Iterable[Use]) -> list[Use]:
    """Those whose model is or will soon be shut down, by its day."""
    last = _last()
    return sorted(
        (use for use in found if use.model.shutdown_on and use.model.shutdown_on <= last),
        key=lambda use: (use.model.shutdown_on or last, use.holder.tenant_name.lower()),
    )


def _last() -> date:
    return timezone.now().date() + AHEAD


def uses(
    models: Iterable[ProviderModel],
    *,
    tenant: Tenant | None = None,
    accounts: Iterable[ProviderAccount] | None = None,
) -> list[Use]:
    """Which agents use these models, of a tenant or of all."""
    wanted = {(model.provider, model.name): model for model in models}
    found = levels.load([*SETTINGS, "provider_account"], tenant=tenant)
    if accounts is None:
        accounts = ProviderAccount.all_tenants.only("pk", "url")
    providers = {account.pk: provider_of(account.url) for account in accounts}
    return [
        Use(holder, wanted[key], setting)
        for holder in found.agents
        for setting in SETTINGS
        if (key := _key(found, holder, setting, providers)) in wanted
    ]


def _key(
    found: Levels, holder: Holder, setting: str, providers: dict[int, Provider]
) -> tuple[str, str]:
    account, _level = found.value(holder, "provider_account")
    name, _level = found.value(holder, setting)
    return providers.get(account, Provider.OTHER), name


def save_model(*, model: ProviderModel, user: User | None) -> ProviderModel:
    """Check and save a model of the catalogue, a new one too. Raises ValidationError."""
    with transaction.atomic():
        before = ProviderModel.objects.filter(pk=model.pk).first()
        model.full_clean()
        model.save()
        audit.record(
            "model.edit" if before else "model.create",
            model,
            tenant=None,
            user=user,
            changes=audit.diff(before, model, AUDITED),
        )
    return model
