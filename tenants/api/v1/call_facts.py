"""What is known of a call besides what was said: line, provider, use and cost."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from tenants.api.v1.types import Output, example
from tenants.models import Call, CallQuality, CallUsage
from tenants.services import problems

_QUALITY: Final[dict[str, Any]] = {
    "packets_received": 3000,
    "packets_lost": 2,
    "packets_discarded": 0,
    "packets_sent": 2990,
    "remote_lost": 0,
    "jitter_ms": 1.2,
    "jitter_max_ms": 7.5,
    "round_trip_ms": 21.0,
    "late_frames": 0,
    "underruns": 0,
    "dropped_ms": 0,
    "heard_ms": 60000,
    "not_sent_ms": 0,
    "mos": 4.3,
}
_USE: Final[dict[str, Any]] = {
    "kind": "response",
    "model": "gpt-realtime-2.1",
    "input_text_tokens": 900,
    "input_audio_tokens": 610,
    "cached_text_tokens": 640,
    "cached_audio_tokens": 0,
    "output_text_tokens": 110,
    "output_audio_tokens": 480,
    "seconds": 0.0,
    "responses": 4,
    "cost": "0.04210000",
    "currency": "USD",
}


class Quality(Output):
    model_config = example(_QUALITY)
    packets_received: int | None
    packets_lost: int | None
    packets_discarded: int | None = Field(description="Came too late to be played.")
    packets_sent: int | None
    remote_lost: int | None = Field(description="Of those sent, as the other side tells.")
    jitter_ms: float
    jitter_max_ms: float
    round_trip_ms: float | None
    late_frames: int
    underruns: int = Field(description="Gaps in the agent's speech.")
    dropped_ms: int = Field(description="Caller's sound that was lost in the media worker.")
    heard_ms: int
    not_sent_ms: int = Field(description="Of it, kept from the provider: silence.")
    mos: float | None = Field(description="Quality of the line, 1 to 4.5; None: not known.")


class CallTrouble(Output):
    model_config = example(
        {
            "kind": "rate_limit",
            "account": "Main account",
            "code": "rate_limit_exceeded",
            "message": "Too many requests.",
            "fatal": False,
            "offset_ms": 4000,
        }
    )
    kind: str
    account: str = Field(description="Its name when the call came; empty: not known any more.")
    code: str = Field(description="The provider's own.")
    message: str
    fatal: bool = Field(description="It ended the provider's session.")
    offset_ms: int


class Use(Output):
    model_config = example(_USE)
    kind: str = Field(description="What the model was used for.")
    model: str
    input_text_tokens: int
    input_audio_tokens: int
    cached_text_tokens: int = Field(description="Among the input.")
    cached_audio_tokens: int
    output_text_tokens: int
    output_audio_tokens: int
    seconds: float = Field(description="Where it is charged by time.")
    responses: int
    cost: str | None = Field(description="Decimal; None: no price is known, or not settled yet.")
    currency: str


class UsedSetting(Output):
    model_config = example({"value": "marin", "level": "agent"})
    value: Any
    level: str = Field(description="Who set it: platform, tenant or agent.")


def facts(call: Call) -> dict[str, Any]:
    """Fields of a call's document; four queries, five where there were problems."""
    quality = CallQuality.objects.filter(call=call).values(*Quality.model_fields).first()
    return {
        "quality": Quality(**quality) if quality else None,
        "problems": [_problem(trouble) for trouble in problems.of_call(call)],
        "usage": [_use(row) for row in CallUsage.objects.filter(call=call).select_related("price")],
        "settings": {
            name: UsedSetting(value=used["value"], level=used.get("level", ""))
            for name, used in call.settings_used.items()
            if used and "value" in used
        },
    }


def _problem(trouble: problems.Trouble) -> CallTrouble:
    same = [name for name in CallTrouble.model_fields if name != "account"]
    values = {name: getattr(trouble.problem, name) for name in same}
    return CallTrouble(account=trouble.account, **values)


def _use(row: CallUsage) -> Use:
    same = [name for name in Use.model_fields if name not in {"cost", "currency"}]
    return Use(
        **{name: getattr(row, name) for name in same},
        cost=None if row.cost is None else str(row.cost),
        currency=row.price.currency if row.price else "",
    )
