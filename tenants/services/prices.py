"""What a call's use of a model costs: the price book of the catalogue, applied.

Whose models an account offers is found from its address. A model without a price on the call's day
costs "not known" (None), which is never nothing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from tenants.models import Call, CallUsage, Price, ProviderAccount, ProviderModel, User
from tenants.models.choices import Provider
from tenants.services import audit

MILLION: Final = Decimal(1_000_000)
EXACT: Final = Decimal("0.00000001")
"""What a cost is rounded to: an eighth decimal is below every price for one token."""
AMOUNTS: Final = (
    "text_in",
    "text_cached",
    "text_out",
    "audio_in",
    "audio_cached",
    "audio_out",
    "a_minute",
)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_HOSTS: Final = (
    ("api.openai.com", Provider.OPENAI),
    ("openai.azure.com", Provider.AZURE),
    ("cognitiveservices.azure.com", Provider.AZURE),
    ("services.ai.azure.com", Provider.AZURE),
)


def provider_of(url: str) -> Provider:
    """Whose models are offered at an account's address; regional hosts are their provider's."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host in _LOOPBACK and parts.port == settings.SANDBOX_PORT:
        return Provider.SANDBOX
    for known, provider in _HOSTS:
        if host == known or host.endswith(f".{known}"):
            return provider
    return Provider.OTHER


def provider_of_account(account: ProviderAccount | None) -> Provider | None:
    """None: the account is gone, so nobody knows whose prices held."""
    return provider_of(account.url) if account else None


def price_of(*, model: str, provider: Provider, on: date) -> Price | None:
    """The price of a model on a day; None: the book has none."""
    return (
        Price.objects.filter(model__name=model, model__provider=provider, valid_from__lte=on)
        .filter(Q(valid_to=None) | Q(valid_to__gte=on))
        .order_by("-valid_from")
        .first()
    )


class PriceBook:
    """Looks each price up once; for as many calls as are counted together."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Provider, date], Price | None] = {}

    def find(self, *, model: str, provider: Provider, on: date) -> Price | None:
        key = (model, provider, on)
        if key not in self._known:
            self._known[key] = price_of(model=model, provider=provider, on=on)
        return self._known[key]


def cost_of(usage: CallUsage, price: Price) -> Decimal | None:
    """What the counts of `usage` cost, in the price's currency, to 8 decimals.

    Cached tokens are a part of the input tokens (REALTIME.md section 1.8). A model with a price a
    minute charges tokens only where it has a rate for them. None: something was counted for which
    the price has no rate.
    """
    tokens = [(count, rate) for count, rate in _tokens(usage, price) if count]
    timed = usage.seconds > 0
    total = Decimal()
    if timed and price.a_minute is not None:
        total += Decimal(str(usage.seconds)) / 60 * price.a_minute
    elif (timed and not tokens) or any(rate is None for _count, rate in tokens):
        return None
    for count, rate in tokens:
        total += count * rate / MILLION if rate is not None else 0
    return total.quantize(EXACT, ROUND_HALF_UP)


def _tokens(usage: CallUsage, price: Price) -> list[tuple[int, Decimal | None]]:
    """Counts with their rates for a million."""
    cached_text = min(usage.cached_text_tokens, usage.input_text_tokens)
    cached_audio = min(usage.cached_audio_tokens, usage.input_audio_tokens)
    return [
        (usage.input_text_tokens - cached_text, price.text_in),
        (cached_text, _or(price.text_cached, price.text_in)),
        (usage.output_text_tokens, price.text_out),
        (usage.input_audio_tokens - cached_audio, price.audio_in),
        (cached_audio, _or(price.audio_cached, price.audio_in)),
        (usage.output_audio_tokens, price.audio_out),
    ]


def _or(rate: Decimal | None, otherwise: Decimal | None) -> Decimal | None:
    """A model without a rate for cached tokens charges them as the others."""
    return otherwise if rate is None else rate


@transaction.atomic
def add_price(*, price: Price, user: User | None) -> Price:
    """Put a price in force from its first day on; the one before ends the day before.

    Calls since that day which were counted without it, or with the one before, are counted anew.
    Raises ValidationError.
    """
    model = ProviderModel.objects.select_for_update().get(pk=price.model_id)
    price.full_clean()
    if all(getattr(price, name) is None for name in AMOUNTS):
        raise ValidationError(_("Give at least one price."))
    _fit_in(price)
    before = model.prices.filter(valid_from__lt=price.valid_from).order_by("-valid_from").first()
    if before and (before.valid_to is None or before.valid_to >= price.valid_from):
        before.valid_to = price.valid_from - timedelta(days=1)
        before.save()
    price.save()
    audit.record(
        "price.create",
        price,
        tenant=None,
        user=user,
        changes=audit.diff(None, price, ("valid_from", "valid_to", "currency", *AMOUNTS)),
    )
    _count_anew(model, price)
    return price


def _fit_in(price: Price) -> None:
    """A price that was already known to begin later ends this one."""
    after = (
        Price.objects.filter(model=price.model, valid_from__gt=price.valid_from)
        .order_by("valid_from")
        .first()
    )
    if after and (price.valid_to is None or price.valid_to >= after.valid_from):
        price.valid_to = after.valid_from - timedelta(days=1)


def _count_anew(model: ProviderModel, price: Price) -> None:
    """Let the calls from the price's first day on be settled again."""
    # A day earlier than by UTC: the day of a call is its tenant's.
    since = datetime.combine(price.valid_from - timedelta(days=1), time(), UTC)
    used = CallUsage.all_tenants.filter(
        Q(model=model.name) | Q(model="", call__model=model.name),
        Q(cost=None) | Q(price__model=model),
        call__started_at__gte=since,
    )
    Call.all_tenants.filter(pk__in=used.values("call"), settled_at__isnull=False).update(
        settled_at=None
    )
