"""The end of a tenant: asked for by an owner, a week of grace, then all that it owns is deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import structlog
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.models import (
    Agent,
    AgentRevision,
    Call,
    DataExport,
    Member,
    Prompt,
    Recording,
    Tenant,
    User,
)
from tenants.models.call import OPEN_STATES
from tenants.models.choices import Role
from tenants.services import audit, mail
from tenants.services.owned import OWNED, rows_of

log = structlog.get_logger(__name__)

GRACE: Final = timedelta(days=7)
CHUNK: Final = 2000
"""Rows in one transaction: short, for on SQLite nobody else writes meanwhile."""


def ask(*, tenant: Tenant, user: User, name: str) -> Tenant:
    """Have a tenant deleted after GRACE; its owners get a letter. `name` typed anew says that it is
    meant. Raises ValidationError.
    """
    if name.strip() != tenant.name:
        raise ValidationError({"name": [_("This is not the company's name.")]})
    with transaction.atomic():
        row = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if row.closing_at is None:
            row.closing_at = timezone.now() + GRACE
            row.save(update_fields=["closing_at"])
            audit.record(
                "tenant.close_ask",
                row,
                tenant=row,
                user=user,
                changes={"closing_at": [None, row.closing_at.isoformat()]},
            )
            transaction.on_commit(lambda: _tell_owners(row, user))
    return row


def take_back(*, tenant: Tenant, user: User) -> Tenant:
    """Let a tenant live on."""
    with transaction.atomic():
        row = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if row.closing_at is not None:
            row.closing_at = None
            row.save(update_fields=["closing_at"])
            audit.record("tenant.close_take_back", row, tenant=row, user=user)
    return row


def close_due() -> None:
    """Delete the tenants whose time has come; one with a call that runs waits for its end."""
    for tenant in Tenant.objects.filter(closing_at__lte=timezone.now()):
        # From here on no call is taken, and nobody changes anything.
        Tenant.objects.filter(pk=tenant.pk).update(is_active=False)
        if not Call.all_tenants.filter(tenant=tenant, state__in=OPEN_STATES).exists():
            _delete(tenant)


def _tell_owners(tenant: Tenant, user: User) -> None:
    owners = Member.all_tenants.filter(tenant=tenant, role=Role.OWNER).select_related("user")
    for owner in owners:
        mail.send(
            to=owner.user.email,
            letter="closing",
            language=owner.user.language,
            time_zone=owner.user.time_zone,
            tenant=tenant.name,
            who=user.get_full_name(),
            at=tenant.closing_at,
        )


def _delete(tenant: Tenant) -> None:
    """Delete in pieces, so that it may be cut off and gone on with; one line of the log remains."""
    people = list(Member.all_tenants.filter(tenant=tenant).values_list("user_id", flat=True))
    for with_files in (Recording, Prompt, DataExport):
        _delete_files(with_files, tenant)
    for model in OWNED:
        _let_go(model, tenant)
        _delete_rows(rows_of(model, tenant))
    with transaction.atomic():
        audit.record("tenant.closed", f"{tenant.name} ({tenant.slug})", tenant=None, user=None)
        _delete_strays(people)
        tenant.delete()
    log.info("tenant_closed", tenant=tenant.slug)


def _let_go(model: type[models.Model], tenant: Tenant) -> None:
    """Untie what leans on both sides on one another, or hangs on rows in a table of its own."""
    if model is Call:
        tagged: Any = Call.tags.through
        _delete_rows(tagged._base_manager.filter(call__tenant=tenant).order_by("pk"))
    if model is AgentRevision:
        Agent.all_tenants.filter(tenant=tenant).update(published_revision=None)


def _delete_rows(rows: models.QuerySet[Any]) -> None:
    """Without reading them: what would go along has gone before."""
    while keys := list(rows.values_list("pk", flat=True)[:CHUNK]):
        with transaction.atomic():
            every: models.QuerySet[models.Model] = models.QuerySet(rows.model, using=rows.db)
            piece = every.filter(pk__in=keys)
            piece._raw_delete(rows.db)


def _delete_files(model: type[models.Model], tenant: Tenant) -> None:
    names = rows_of(model, tenant).exclude(file="").values_list("file", flat=True)
    for name in names.iterator(chunk_size=CHUNK):
        default_storage.delete(name)


def _delete_strays(people: list[int]) -> None:
    """Sign-ins of people who belong to nothing any more."""
    User.objects.filter(pk__in=people, is_staff=False, memberships=None).delete()
