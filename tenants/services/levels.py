"""Which values hold for all agents at once, and which would if the operator's default were another.

What calls get counts: of a published agent its revision, of another one its draft. Values are laid
over each other as services/effective.py does it, in three queries however many agents there are;
texts, which are merged language by language, are not looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from tenants.models import Agent, PlatformSettings, Tenant, TenantSettings
from tenants.services.effective import BUILT_IN, VALUE_NAMES, Level, platform_settings

UNCHANGED: Final = object()


@dataclass(frozen=True)
class Holder:
    """An agent, and what its own level says of each setting looked at; None: nothing."""

    agent_id: UUID
    agent_name: str
    tenant_pk: int
    tenant_id: UUID
    tenant_name: str
    tenant_slug: str
    is_published: bool
    own: Mapping[str, Any]


@dataclass(frozen=True)
class Levels:
    """Settings of all agents, level by level; accounts by primary key."""

    platform: PlatformSettings
    tenants: Mapping[int, Mapping[str, Any]]
    agents: Sequence[Holder]

    def value(
        self, holder: Holder, name: str, *, default: Any = UNCHANGED, locked: bool | None = None
    ) -> tuple[Any, Level]:
        """What holds for an agent and where it comes from; `default` and `locked`: if the
        platform's value were that one, or could not be overridden.
        """
        is_locked = name in self.platform.locked if locked is None else locked
        if not is_locked:
            own = holder.own[name]
            if own is not None:
                return own, "agent"
            tenants = self.tenants.get(holder.tenant_pk, {}).get(name)
            if tenants is not None:
                return tenants, "tenant"
        return default_of(self.platform, name) if default is UNCHANGED else default, "platform"


def default_of(platform: PlatformSettings, name: str) -> Any:
    """The platform's own value."""
    value = getattr(platform, _column(name))
    return BUILT_IN[name] if value is None else value


def load(names: Iterable[str], *, tenant: Tenant | None = None) -> Levels:
    """The levels of some settings, of one tenant's agents or of all. Raises KeyError for a name
    that is no setting with one value.
    """
    wanted = list(names)
    if unknown := set(wanted) - set(VALUE_NAMES):
        raise KeyError(unknown.pop())
    columns = [_column(name) for name in wanted]
    rows = TenantSettings.all_tenants.all()
    agents = Agent.all_tenants.order_by("tenant__name", "tenant_id", "name", "pk")
    if tenant is not None:
        rows, agents = rows.filter(tenant=tenant), agents.filter(tenant=tenant)
    by_tenant = {
        row["tenant_id"]: dict(zip(wanted, (row[column] for column in columns), strict=True))
        for row in rows.values("tenant_id", *columns)
    }
    found = agents.values(
        "public_id",
        "name",
        "tenant_id",
        "tenant__public_id",
        "tenant__name",
        "tenant__slug",
        "published_revision_id",
        *columns,
        *(f"published_revision__{column}" for column in columns),
    )
    return Levels(platform_settings(), by_tenant, [_holder(row, wanted) for row in found])


def _holder(row: Mapping[str, Any], names: Sequence[str]) -> Holder:
    is_published = row["published_revision_id"] is not None
    prefix = "published_revision__" if is_published else ""
    return Holder(
        agent_id=row["public_id"],
        agent_name=row["name"],
        tenant_pk=row["tenant_id"],
        tenant_id=row["tenant__public_id"],
        tenant_name=row["tenant__name"],
        tenant_slug=row["tenant__slug"],
        is_published=is_published,
        own={name: row[f"{prefix}{_column(name)}"] for name in names},
    )


def _column(name: str) -> str:
    return "provider_account_id" if name == "provider_account" else name
