"""Managers of what a tenant owns.

`objects` refuses to run outside `django_scopes.scope(tenant=...)` and filters by that tenant inside
it; being the default manager, forms and relations fail closed too. `all_tenants` sees everything;
it is for services that have decided access already, for the console and for jobs.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models
from django_scopes import get_scope
from django_scopes.manager import DisabledQuerySet

M = TypeVar("M", bound=models.Model)


class ImmutableError(Exception):
    """Somebody tried to change what is written once."""


class TenantManager(models.Manager[M]):
    """Rows of the tenant in scope; without a scope every query raises ScopeError."""

    def get_queryset(self) -> models.QuerySet[M]:
        scope = get_scope()
        if not scope.get("_enabled", True):
            return super().get_queryset()
        if scope.get("tenant") is None:
            disabled: models.QuerySet[M] = DisabledQuerySet(
                self.model, using=self._db, missing_scopes={"tenant"}
            )
            return disabled
        return super().get_queryset().filter(tenant=scope["tenant"])

    def all(self) -> models.QuerySet[M]:
        # The plain all() would hand on a query set that fails only when it is used.
        return self.get_queryset().all()


class UnscopedManager(models.Manager[M]):
    """Rows of every tenant."""


class ImmutableQuerySet(models.QuerySet[M]):
    """Rows that are written once."""

    def update(self, **kwargs: Any) -> int:
        raise ImmutableError(f"{self.model.__name__} rows are never changed.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        raise ImmutableError(f"{self.model.__name__} rows are never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise ImmutableError(f"{self.model.__name__} rows are never deleted by themselves.")


class ImmutableTenantManager(TenantManager[M]):
    def get_queryset(self) -> models.QuerySet[M]:
        return _immutable(super().get_queryset())


class ImmutableUnscopedManager(UnscopedManager[M]):
    def get_queryset(self) -> models.QuerySet[M]:
        return _immutable(super().get_queryset())


def _immutable(rows: models.QuerySet[M]) -> models.QuerySet[M]:
    if isinstance(rows, DisabledQuerySet):
        disabled: models.QuerySet[M] = rows
        return disabled
    return ImmutableQuerySet(rows.model, query=rows.query, using=rows.db)
