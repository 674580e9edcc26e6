"""Every dialect that a provider may be spoken to in."""

from __future__ import annotations

from typing import Final

from media_worker.contract import Dialect, ProviderAccess, Settings, ToolSet
from media_worker.realtime.client import RealtimeClient
from media_worker.realtime.connection import Deadlines
from media_worker.realtime.openai import OpenAiShape
from media_worker.realtime.openai_beta import OpenAiBetaShape
from media_worker.realtime.shape import Shape

SHAPES: Final[dict[Dialect, type[Shape]]] = {
    Dialect.OPENAI: OpenAiShape,
    Dialect.OPENAI_BETA: OpenAiBetaShape,
}


def new_session(
    provider: ProviderAccess,
    settings: Settings,
    tools: ToolSet,
    *,
    language: str,
    deadlines: Deadlines | None = None,
) -> RealtimeClient:
    """A session that is not open yet. `language` is that of what it says by itself."""
    shape = SHAPES[settings.dialect](settings, tools, language=language)
    return RealtimeClient(provider, shape, deadlines=deadlines)
