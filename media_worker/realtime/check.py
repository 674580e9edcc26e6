"""Try a provider account: open a session with its settings, close it, say what came back."""

from __future__ import annotations

import time
from typing import Final

from media_worker.contract import (
    AccountChecked,
    AccountCheckPlan,
    ProblemKind,
    Settings,
    ToolSet,
)
from media_worker.realtime.connection import Deadlines
from media_worker.realtime.dialects import new_session
from media_worker.realtime.session import SessionError, SessionInfo

SENTENCES: Final[dict[ProblemKind, str]] = {
    ProblemKind.KEY_REFUSED: "The provider refused the key.",
    ProblemKind.QUOTA: "The account has no credit left, or has reached its limit.",
    ProblemKind.RATE_LIMIT: "The provider is limiting this account now; try again later.",
    ProblemKind.DIALECT_REFUSED: "The provider does not speak the chosen dialect.",
    ProblemKind.SETTINGS_REFUSED: "The key works, but the provider refused the settings.",
    ProblemKind.MODEL_REFUSED: "The provider does not offer this model at this address.",
    ProblemKind.WRONG_AUDIO: "The provider uses an audio format that we do not know.",
    ProblemKind.TEXT_ONLY: "The provider answers with text instead of speech.",
    ProblemKind.SILENT: "The provider took the connection but did not answer.",
    ProblemKind.SESSION_EXPIRED: "The provider ended the session at once.",
    ProblemKind.DROPPED: "The provider closed the connection.",
    ProblemKind.UNREACHABLE: "The provider cannot be reached.",
    ProblemKind.PROTOCOL: "What answers at this address is no realtime speech provider.",
}


async def check_account(
    plan: AccountCheckPlan, *, deadlines: Deadlines | None = None
) -> AccountChecked:
    """Open a session as a call would, and close it. Never raises for what a provider does."""
    session = new_session(
        plan.provider, plan.settings, ToolSet(hang_up=False), language="en", deadlines=deadlines
    )
    began = time.monotonic()
    try:
        info = await session.open(guarded=True)
    except SessionError as error:
        return AccountChecked(
            check_id=plan.check_id,
            ok=False,
            kind=error.kind,
            message=f"{SENTENCES[error.kind]} {error.message}",
            took_ms=_since(began),
        )
    finally:
        await session.close()
    return AccountChecked(
        check_id=plan.check_id,
        ok=True,
        message=_welcome(info, plan.settings),
        session_id=info.session_id,
        took_ms=_since(began),
    )


def _welcome(info: SessionInfo, settings: Settings) -> str:
    said = f"A session with {info.model or settings.model} opened."
    if settings.audio_format not in (info.input_format, info.output_format):
        said += f" The provider speaks {info.output_format} instead of {settings.audio_format}."
    return said


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
