"""The tools of an agent as functions that a model may call; the same in every dialect."""

from __future__ import annotations

from typing import Any, Final

from media_worker.contract import ToolSet, TransferTarget

TRANSFER_CALL: Final = "transfer_call"
HANG_UP: Final = "hang_up"


def definitions(tools: ToolSet) -> list[dict[str, Any]]:
    """Function definitions (JSON Schema parameters) of what this agent may do."""
    functions = []
    if tools.transfer_targets:
        functions.append(_transfer_call(tools.transfer_targets))
    if tools.hang_up:
        functions.append(_hang_up())
    return functions


def _transfer_call(targets: tuple[TransferTarget, ...]) -> dict[str, Any]:
    names = list(dict.fromkeys(target.name for target in targets))
    known = "; ".join(
        f"{target.name}: {target.description}" if target.description else target.name
        for target in targets
    )
    return {
        "type": "function",
        "name": TRANSFER_CALL,
        "description": (
            "Connect the caller to somebody else. Say in one short sentence that you are"
            f" connecting them, then call this. Targets: {known}."
        ),
        "parameters": {
            "type": "object",
            "properties": {
                "target": {
                    "type": "string",
                    "enum": names,
                    "description": "Whom to connect the caller to.",
                }
            },
            "required": ["target"],
            "additionalProperties": False,
        },
    }


def _hang_up() -> dict[str, Any]:
    return {
        "type": "function",
        "name": HANG_UP,
        "description": (
            "End the call, when the caller says goodbye or needs nothing more."
            " Say goodbye first, then call this."
        ),
        "parameters": {
            "type": "object",
            "properties": {
                "reason": {"type": "string", "description": "Why the call ends, in a few words."}
            },
            "additionalProperties": False,
        },
    }
