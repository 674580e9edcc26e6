"""What happened, said in plain words: states, causes, refusals, problems, tools.

Words for people come from here and the templates; the codes of the contract stay in data-attributes
and in the second, smaller line that experts read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from tenants.models import Call, ProviderAccount, ToolCall
from tenants.models.choices import (
    CallKind,
    CallState,
    CheckState,
    EndCause,
    ProblemKind,
    RefusalReason,
    ToolState,
)


@dataclass(frozen=True)
class Badge:
    """State in a word; tone is one of good, warn, bad, live, quiet."""

    text: str | Promise
    tone: str
    state: str


RUNNING_STATES: Final = (CallState.RINGING, CallState.RUNNING)

_STATES: Final = {
    CallState.RINGING: (pgettext_lazy("state of a call", "Ringing"), "live"),
    CallState.RUNNING: (pgettext_lazy("state of a call", "Running"), "live"),
    CallState.ENDED: (pgettext_lazy("state of a call", "Ended"), "quiet"),
    CallState.REFUSED: (pgettext_lazy("state of a call", "Refused"), "warn"),
}

_CAUSES: Final = {
    EndCause.CALLER_HUNG_UP: (
        gettext_lazy("Caller hung up"),
        "quiet",
        gettext_lazy("The caller hung up."),
    ),
    EndCause.AGENT_HUNG_UP: (
        gettext_lazy("Agent hung up"),
        "quiet",
        gettext_lazy("The agent said goodbye and hung up."),
    ),
    EndCause.TRANSFERRED: (
        gettext_lazy("Transferred"),
        "good",
        gettext_lazy("The agent connected the caller to somebody else."),
    ),
    EndCause.OPERATOR_HUNG_UP: (
        gettext_lazy("Ended from here"),
        "quiet",
        gettext_lazy("Somebody ended the call in the portal or the console."),
    ),
    EndCause.PROVIDER_FAILED: (
        gettext_lazy("AI provider failed"),
        "bad",
        gettext_lazy("The AI provider failed. The caller heard the apology, then the call ended."),
    ),
    EndCause.MAX_DURATION: (
        gettext_lazy("Longest duration"),
        "warn",
        gettext_lazy("The call reached the longest duration that is allowed."),
    ),
    EndCause.WORKER_STOPPED: (
        gettext_lazy("Stopped"),
        "warn",
        gettext_lazy("The media worker was shut down while the call ran. The agent said goodbye."),
    ),
    EndCause.INTERRUPTED: (
        gettext_lazy("Interrupted"),
        "bad",
        gettext_lazy("The media worker was lost during the call. The end of the talk is missing."),
    ),
    EndCause.MEDIA_LOST: (
        gettext_lazy("Sound lost"),
        "bad",
        gettext_lazy("No sound came from the caller's side any more."),
    ),
    EndCause.ABANDONED: (
        gettext_lazy("Abandoned"),
        "quiet",
        gettext_lazy("Nobody wrote any more, so the chat was ended."),
    ),
    EndCause.INTERNAL_ERROR: (
        gettext_lazy("Internal error"),
        "bad",
        gettext_lazy("A fault on our side ended the call. It was recorded."),
    ),
}

_REFUSALS: Final = {
    RefusalReason.UNKNOWN_NUMBER: gettext_lazy("No agent answers at this number."),
    RefusalReason.NUMBER_DISABLED: gettext_lazy("The number is switched off."),
    RefusalReason.NO_PUBLISHED_REVISION: gettext_lazy(
        "The agent of this number was never published. Publish it, and it answers."
    ),
    RefusalReason.NO_PROVIDER_ACCOUNT: gettext_lazy(
        "No AI provider account is chosen for the agent, or it has no key."
    ),
    RefusalReason.TENANT_DISABLED: gettext_lazy("Your operator has switched this account off."),
    RefusalReason.TENANT_LIMIT: gettext_lazy(
        "As many calls as allowed were running already. The caller heard the busy tone."
    ),
    RefusalReason.TENANT_RATE: gettext_lazy(
        "More calls came within a minute than allowed. The caller heard the busy tone."
    ),
    RefusalReason.CLOSED: gettext_lazy("The call came outside of the number's opening hours."),
    RefusalReason.BROWSER_FULL: gettext_lazy(
        "The media worker had no room for another call from a browser."
    ),
    RefusalReason.WORKER_FULL: gettext_lazy("The media worker had no room for another call."),
    RefusalReason.WORKER_DRAINING: gettext_lazy(
        "The media worker was being shut down and took no new call."
    ),
    RefusalReason.WORKER_TOKEN_REFUSED: gettext_lazy(
        "The media worker is not authorised. Your operator has to look at it."
    ),
    RefusalReason.WEB_UNREACHABLE: gettext_lazy(
        "The media worker could not reach this portal and did not know the number."
    ),
    RefusalReason.INTERNAL_ERROR: gettext_lazy("A fault on our side. It was recorded."),
}

_PROBLEMS: Final = {
    ProblemKind.KEY_REFUSED: gettext_lazy("The provider refused the key."),
    ProblemKind.QUOTA: gettext_lazy("The credit at the provider is used up."),
    ProblemKind.RATE_LIMIT: gettext_lazy("The provider allows no more requests at the moment."),
    ProblemKind.DIALECT_REFUSED: gettext_lazy("The provider does not speak the chosen dialect."),
    ProblemKind.SETTINGS_REFUSED: gettext_lazy("The provider refused the settings."),
    ProblemKind.MODEL_REFUSED: gettext_lazy(
        "The provider does not know the model, or this key may not use it."
    ),
    ProblemKind.WRONG_AUDIO: gettext_lazy("The provider sent sound in another format than agreed."),
    ProblemKind.TEXT_ONLY: gettext_lazy("The provider answered in writing, without sound."),
    ProblemKind.SILENT: gettext_lazy("The provider was connected, but nothing came back in time."),
    ProblemKind.SESSION_EXPIRED: gettext_lazy(
        "The provider ended the session because it had lasted too long."
    ),
    ProblemKind.DROPPED: gettext_lazy("The connection to the provider broke."),
    ProblemKind.UNREACHABLE: gettext_lazy("The provider could not be reached."),
    ProblemKind.PROTOCOL: gettext_lazy("The provider sent something that is not of the protocol."),
}

_REMEDIES: Final = {
    ProblemKind.KEY_REFUSED: gettext_lazy("Make a new key at the provider and store it here."),
    ProblemKind.QUOTA: gettext_lazy("Top up the credit at the provider."),
    ProblemKind.RATE_LIMIT: gettext_lazy(
        "Try again in a minute; if it stays so, ask the provider for a higher limit."
    ),
    ProblemKind.DIALECT_REFUSED: gettext_lazy("Choose the other dialect in the settings."),
    ProblemKind.SETTINGS_REFUSED: gettext_lazy(
        "What the provider says below names the setting; change it in the settings."
    ),
    ProblemKind.MODEL_REFUSED: gettext_lazy(
        "Check the model's name in the settings, and what the key may use."
    ),
    ProblemKind.WRONG_AUDIO: gettext_lazy("Choose PCM 24 kHz as audio format in the settings."),
    ProblemKind.TEXT_ONLY: gettext_lazy("Choose a model that speaks."),
    ProblemKind.SILENT: gettext_lazy("Try again; if it stays so, see the provider's status page."),
    ProblemKind.SESSION_EXPIRED: "",
    ProblemKind.DROPPED: gettext_lazy("Try again; if it stays so, check the network."),
    ProblemKind.UNREACHABLE: gettext_lazy(
        "Check the address, and that the network lets us through."
    ),
    ProblemKind.PROTOCOL: gettext_lazy("Check that the address is one of a realtime API."),
}


def state_badge(call: Call) -> Badge:
    """The call's state, as on its own page."""
    text, tone = _STATES[CallState(call.state)]
    return Badge(text, tone, call.state)


def outcome_badge(call: Call) -> Badge:
    """How it stands or how it ended, as in a list."""
    if call.state == CallState.ENDED and call.end_cause:
        text, tone, _sentence = _CAUSES[EndCause(call.end_cause)]
        return Badge(text, tone, call.state)
    return state_badge(call)


def end_sentence(call: Call) -> str:
    """Why the call ended or was refused; empty while it runs."""
    if call.state == CallState.REFUSED and call.refusal_reason:
        return str(_REFUSALS[RefusalReason(call.refusal_reason)])
    if call.kind == CallKind.CHAT and call.end_cause == EndCause.OPERATOR_HUNG_UP:
        return _("The chat was ended.")
    if call.state == CallState.ENDED and call.end_cause:
        return str(_CAUSES[EndCause(call.end_cause)][2])
    return ""


def problem_sentence(kind: str) -> str:
    """What went wrong at the provider; a kind that a newer worker sends is named as it is."""
    known = kind in ProblemKind.values
    return str(_PROBLEMS[ProblemKind(kind)]) if known else _("A problem: %(kind)s") % {"kind": kind}


def remedy_sentence(kind: str) -> str:
    """What to do about it; empty where nothing can be done."""
    return str(_REMEDIES[ProblemKind(kind)]) if kind in ProblemKind.values else ""


def check_badge(account: ProviderAccount) -> Badge:
    """What is known of an account's key."""
    texts = {
        CheckState.NONE: (gettext_lazy("Not checked"), "quiet"),
        CheckState.PENDING: (gettext_lazy("Being checked"), "quiet"),
        CheckState.OK: (gettext_lazy("Works"), "good"),
        CheckState.FAILED: (gettext_lazy("Does not work"), "bad"),
    }
    text, tone = texts[CheckState(account.check_state)]
    return Badge(text, tone, account.check_state or "none")


_TOOL_STATES: Final = {
    ToolState.RUNNING: (pgettext_lazy("state of a tool call", "running"), "live"),
    ToolState.SUCCEEDED: (pgettext_lazy("state of a tool call", "done"), "good"),
    ToolState.FAILED: (pgettext_lazy("state of a tool call", "failed"), "bad"),
}


def tool_badge(tool: ToolCall) -> Badge:
    text, tone = _TOOL_STATES[ToolState(tool.state)]
    return Badge(text, tone, tool.state)


def tool_title(name: str, arguments: dict[str, Any]) -> str:
    """A tool call as a person would name it."""
    if name == "transfer_call":
        return _("Transfer to %(target)s") % {"target": arguments.get("target", "?")}
    if name == "hang_up":
        return _("Hang up")
    return name


def tool_icon(name: str) -> str:
    return {"transfer_call": "phone-outgoing", "hang_up": "phone-off"}.get(name, "tool")
