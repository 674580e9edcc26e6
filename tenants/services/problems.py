"""What went wrong at the provider during a call, and at which of its accounts."""

from __future__ import annotations

from dataclasses import dataclass

from tenants.models import Call, CallEvent, CallProblem
from tenants.models.choices import NoteKind


@dataclass(frozen=True)
class Trouble:
    """`account` is the account's name when the call came; "": not known any more."""

    problem: CallProblem
    account: str


def of_call(call: Call) -> list[Trouble]:
    """In order. A call begins with one account and stays with the second once that took over."""
    problems = list(CallProblem.all_tenants.filter(call=call))
    if not problems:
        return []
    first, second = _name(call, "provider_account"), _name(call, "fallback_account")
    switched = _switched_ms(call, second) if second else None
    if switched is None:
        return [Trouble(problem, first or call.account_name) for problem in problems]
    return [
        Trouble(problem, second if problem.offset_ms > switched else first) for problem in problems
    ]


def _name(call: Call, setting: str) -> str:
    return str((call.settings_used.get(setting) or {}).get("value") or "")


def _switched_ms(call: Call, second: str) -> int | None:
    """When the second account took over; None: never. A transfer as last resort is no account."""
    told = CallEvent.all_tenants.filter(call=call, kind=NoteKind.FALLBACK_USED, text=second)
    return told.order_by("pk").values_list("offset_ms", flat=True).first()
