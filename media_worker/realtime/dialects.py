"""Every dialect that a provider may be spoken to in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from media_worker.contract import CallKind, CallPlan, Dialect, ProviderAccess, Settings, ToolSet
from media_worker.realtime.client import RealtimeClient
from media_worker.realtime.connection import Deadlines
from media_worker.realtime.openai import OpenAiShape
from media_worker.realtime.openai_beta import OpenAiBetaShape
from media_worker.realtime.shape import Shape

SHAPES: Final[dict[Dialect, type[Shape]]] = {
    Dialect.OPENAI: OpenAiShape,
    Dialect.OPENAI_BETA: OpenAiBetaShape,
}

CONTINUED: Final = (
    "\n\nThis telephone call is already under way and your connection to it was renewed: do not"
    " greet the caller again, go on where the conversation stopped. It went so far:\n"
)


def new_session(
    provider: ProviderAccess,
    settings: Settings,
    tools: ToolSet,
    *,
    language: str,
    is_text: bool = False,
    deadlines: Deadlines | None = None,
) -> RealtimeClient:
    """A session that is not open yet. `language` is that of what it says by itself; `is_text`: it
    takes text and gives text."""
    shape = SHAPES[settings.dialect](settings, tools, language=language, is_text=is_text)
    return RealtimeClient(provider, shape, deadlines=deadlines)


def session_maker(plan: CallPlan) -> Callable[[ProviderAccess, str], RealtimeClient]:
    """Makes a call's sessions with one of its accounts; each gets the conversation so far, empty at
    first."""

    def make(provider: ProviderAccess, context: str) -> RealtimeClient:
        settings = plan.settings
        if context:
            instructions = f"{settings.instructions}{CONTINUED}{context}"
            settings = msgspec.structs.replace(settings, instructions=instructions)
        return new_session(
            provider,
            settings,
            plan.tools,
            language=plan.language,
            is_text=plan.kind is CallKind.CHAT,
        )

    return make
