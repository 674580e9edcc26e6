"""Who would change if one of the operator's defaults changed, or were locked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tenants.services import levels
from tenants.services.effective import Level
from tenants.services.levels import Holder


@dataclass(frozen=True)
class Affected:
    """An agent with a setting's value as it is and as it would be."""

    holder: Holder
    now: Any
    level: Level
    then: Any
    then_level: Level

    @property
    def changes(self) -> bool:
        return bool(self.now != self.then)


def affected_by(
    *, name: str, value: Any = levels.UNCHANGED, locked: bool | None = None
) -> list[Affected]:
    """Every agent, with what it has of a setting and would have if the platform's default were
    `value`, and if it were locked or not. Raises KeyError for what is no setting with one value.
    """
    found = levels.load([name])
    return [
        Affected(
            holder,
            *found.value(holder, name),
            *found.value(holder, name, default=value, locked=locked),
        )
        for holder in found.agents
    ]
