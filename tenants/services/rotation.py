"""A new key for a provider account without a call lost: the next key lies beside the one in use,
is checked there, and takes its place. Calls that run keep the key that they began with.

    begin -> request_check -> (the worker's answer: services/accounts) -> change_over | cancel
"""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from media_worker import contract
from tenants.models import ProviderAccount, User, Worker
from tenants.models.account import HINT_FROM_LENGTH
from tenants.models.choices import CheckState
from tenants.models.validators import validate_secret
from tenants.services import audit, live

CHECK_SECONDS: Final = 45
FIELDS: Final = [
    "next_secret",
    "next_secret_hint",
    "next_check_id",
    "next_check_state",
    "next_check_message",
]
_GREGORIAN: Final = datetime(1582, 10, 15, tzinfo=UTC)
"""What the clock of a UUID of version 1 counts from (RFC 9562 section 5.1)."""


class NotChecked(ValidationError):  # noqa: N818 - says what is the matter
    """The next key has not been seen to work."""

    def __init__(self) -> None:
        super().__init__(_("The next key has not been seen to work yet. Check it first."))


def begin(*, account: ProviderAccount, secret: str, user: User | None) -> ProviderAccount:
    """Lay the next key beside the one in use, and have it checked. Raises ValidationError."""
    try:
        validate_secret(secret)
    except ValidationError as error:
        raise ValidationError({"next_secret": error.messages}) from None
    with transaction.atomic():
        row = _locked(account)
        if not row.secret:
            raise ValidationError({"next_secret": [_("Store a key first.")]})
        row.next_secret = secret
        row.next_secret_hint = secret[-4:] if len(secret) >= HINT_FROM_LENGTH else ""
        _ask(row)
        row.save(update_fields=FIELDS)
        audit.record("account.rotate_begin", row, tenant=row.tenant, user=user)
    return row


def request_check(*, account: ProviderAccount) -> ProviderAccount:
    """Check the next key once more."""
    with transaction.atomic():
        row = _locked(account)
        if row.next_secret:
            _ask(row)
            row.save(update_fields=FIELDS)
    return row


def change_over(*, account: ProviderAccount, user: User | None) -> ProviderAccount:
    """Put the next key in the place of the one in use, from the next call on. Raises NotChecked."""
    with transaction.atomic():
        row = _locked(account)
        if not row.next_secret or row.next_check_state != CheckState.OK:
            raise NotChecked
        before = audit.snapshot(row, ["secret"])
        message = row.next_check_message
        row.set_secret(row.next_secret.reveal())
        row.check_state, row.check_message = CheckState.OK, message
        row.checked_at = timezone.now()
        row.last_problem_kind = row.last_problem_message = ""
        row.last_problem_at = None
        _forget(row)
        row.save()
        audit.record(
            "account.rotate",
            row,
            tenant=row.tenant,
            user=user,
            changes=audit.diff(before, row, ["secret"]),
        )
    return row


def cancel(*, account: ProviderAccount, user: User | None) -> ProviderAccount:
    """Forget the next key; the one in use stays."""
    with transaction.atomic():
        row = _locked(account)
        if row.next_secret:
            _forget(row)
            row.save(update_fields=FIELDS)
            audit.record("account.rotate_cancel", row, tenant=row.tenant, user=user)
    return row


def asked_at(account: ProviderAccount) -> datetime | None:
    """When the check of the next key was asked for."""
    check_id = account.next_check_id
    if check_id is None:
        return None
    return _GREGORIAN + timedelta(microseconds=check_id.time // 10)


def is_overdue(account: ProviderAccount) -> bool:
    """Whether nobody has answered the check of the next key in time."""
    since = asked_at(account)
    return (
        account.next_check_state == CheckState.PENDING
        and since is not None
        and timezone.now() - since > timedelta(seconds=CHECK_SECONDS)
    )


def _locked(account: ProviderAccount) -> ProviderAccount:
    return (
        ProviderAccount.all_tenants.select_for_update(of=("self",))
        .select_related("tenant")
        .get(pk=account.pk)
    )


def _ask(row: ProviderAccount) -> None:
    worker = Worker.objects.filter(is_active=True, connected=True).order_by("draining", "?").first()
    # Version 1 says when it was made. It need not be a secret: only a worker's token opens plans.
    row.next_check_id = uuid.uuid1(node=secrets.randbits(47) | 1 << 40)
    row.next_check_state, row.next_check_message = CheckState.PENDING, ""
    if worker is None:
        row.next_check_state = CheckState.FAILED
        row.next_check_message = _("No media worker is connected, so the key was not tried.")
        return
    check = str(row.next_check_id)
    live.publish_on_commit(
        [live.command(worker, contract.CheckAccount(command_id=check, check_id=check))]
    )


def _forget(row: ProviderAccount) -> None:
    row.next_secret = ""
    row.next_secret_hint = row.next_check_message = ""
    row.next_check_id, row.next_check_state = None, CheckState.NONE
