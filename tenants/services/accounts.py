"""Provider accounts: keys that go in and never come out, and the check of a key."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_scopes import scope, scopes_disabled

from media_worker import contract
from tenants.models import Prompt, ProviderAccount, Tenant, User, Worker
from tenants.models.choices import CheckState, PromptState
from tenants.models.validators import validate_secret
from tenants.services import audit, live
from tenants.services.effective import effective_settings
from tenants.services.text import plain

CHECK_SECONDS: Final = 45
"""A check without a result after so long has failed."""
USE_NOTED_EVERY: Final = timedelta(minutes=1)
AUDITED: Final = ("name", "url", "auth", "secret")


def offered_accounts(tenant: Tenant) -> models.QuerySet[ProviderAccount]:
    """What a tenant may choose from: its own accounts and the operator's."""
    return ProviderAccount.all_tenants.filter(
        models.Q(tenant=tenant) | models.Q(tenant=None)
    ).order_by("tenant", "name")


def save_account(
    *, account: ProviderAccount, user: User | None, secret: str | None = None
) -> ProviderAccount:
    """Check and save an account. `secret` None or empty keeps the key that is stored.

    Raises ValidationError, also when the address leads to another host and the key is not given
    anew: else whoever may edit an account could have its key sent to a server of his own.
    """
    with _scope_of(account), transaction.atomic():
        is_new = account.pk is None
        before = ProviderAccount.all_tenants.filter(pk=account.pk).first()
        validate_change(account, secret)
        if secret:
            account.set_secret(secret)
        elif not is_new:
            _forget_check_of_old_address(account)
        account.full_clean()
        account.save()
        audit.record(
            "account.create" if is_new else "account.edit",
            account,
            tenant=account.tenant,
            user=user,
            changes=audit.diff(before, account, AUDITED),
        )
        # What could not be spoken with the account as it was is tried again at once.
        Prompt.all_tenants.filter(account=account, state=PromptState.FAILED).update(
            state=PromptState.WAITING, attempts=0, tried_at=None, error=""
        )
    return account


def validate_change(account: ProviderAccount, secret: str | None) -> None:
    """Raise ValidationError (of `url` or `secret`) when one of them does not do for the account."""
    _validate_place(account)
    if secret:
        try:
            validate_secret(secret)
        except ValidationError as error:
            raise ValidationError({"secret": error.messages}) from None
        return
    stored = ProviderAccount.all_tenants.filter(pk=account.pk).first()
    if stored and stored.secret and _host(stored.url) != _host(account.url):
        raise ValidationError({"secret": _("The address has changed; give the key once more.")})


def _validate_place(account: ProviderAccount) -> None:
    """A name is looked up where it is connected to; an IP address can be refused at once."""
    try:
        host = urlsplit(account.url).hostname or ""
        is_allowed = contract.may_lead_to(host, settings.ALLOWED_NETWORKS)
    except ValueError:
        return
    if account.tenant and not is_allowed:
        words = _("This address is not on the public internet. The operator can allow its network.")
        raise ValidationError({"url": words})


def delete_account(*, account: ProviderAccount, user: User | None) -> None:
    """Delete an account and its key. Raises django.db.models.RestrictedError where it is used."""
    with scopes_disabled(), transaction.atomic():
        audit.record("account.delete", account, tenant=account.tenant, user=user)
        account.delete()


def request_check(account: ProviderAccount, *, user: User | None = None) -> ProviderAccount:
    """Have a worker open a session with the account; the outcome comes into its check fields."""
    worker = Worker.objects.filter(is_active=True, connected=True).order_by("draining", "?").first()
    with transaction.atomic():
        account.check_id = uuid.uuid4()
        account.check_kind = ""
        account.check_requested_at = timezone.now()
        if worker is None:
            account.check_state = CheckState.FAILED
            account.checked_at = account.check_requested_at
            account.check_message = _("No media worker is connected, so the key was not tried.")
        else:
            account.check_state = CheckState.PENDING
            account.check_message = ""
            account.checked_at = None
            check = contract.CheckAccount(
                command_id=str(account.check_id), check_id=str(account.check_id)
            )
            live.publish_on_commit([live.command(worker, check)])
        account.save(update_fields=_CHECK_FIELDS)
        audit.record("account.check", account, tenant=account.tenant, user=user)
    return account


def check_plan(check_id: uuid.UUID) -> contract.AccountCheckPlan | None:
    """What a worker needs for a check; None when the check is over."""
    accounts = ProviderAccount.all_tenants.select_related("tenant")
    account = accounts.filter(check_id=check_id, check_state=CheckState.PENDING).first()
    coming = accounts.filter(next_check_id=check_id, next_check_state=CheckState.PENDING).first()
    found = account or coming
    if found is None:
        return None
    access = provider_access(found)
    if account is None:
        access = msgspec.structs.replace(access, api_key=found.next_secret.reveal())
    return contract.AccountCheckPlan(
        check_id=str(check_id),
        provider=access,
        settings=effective_settings(tenant=found.tenant).for_contract(),
    )


def store_check(event: contract.AccountChecked) -> bool:
    """Keep what a check brought; False when it is not the account's last one."""
    account = ProviderAccount.all_tenants.filter(
        check_id=_uuid_or_none(event.check_id), check_state=CheckState.PENDING
    ).first()
    if account is None:
        return _store_next_check(event)
    account.check_state = CheckState.OK if event.ok else CheckState.FAILED
    account.check_kind = event.kind.value if event.kind else ""
    account.check_message = plain(event.message)
    account.checked_at = timezone.now()
    if event.ok:
        account.last_problem_kind = account.last_problem_message = ""
        account.last_problem_at = None
    account.save(
        update_fields=[
            *_CHECK_FIELDS,
            "last_problem_kind",
            "last_problem_message",
            "last_problem_at",
        ]
    )
    return True


def _store_next_check(event: contract.AccountChecked) -> bool:
    """The same for the key that is to come (services/rotation)."""
    state = CheckState.OK if event.ok else CheckState.FAILED
    stored = ProviderAccount.all_tenants.filter(
        next_check_id=_uuid_or_none(event.check_id), next_check_state=CheckState.PENDING
    ).exclude(next_check_id=None)
    return bool(stored.update(next_check_state=state, next_check_message=plain(event.message)))


def note_used(account: ProviderAccount, at: datetime) -> None:
    """A call opened a session with the account; kept to the minute."""
    ProviderAccount.all_tenants.filter(pk=account.pk).filter(
        models.Q(last_used_at=None) | models.Q(last_used_at__lte=at - USE_NOTED_EVERY)
    ).update(last_used_at=at)


def fail_check(check_id: str, message: str) -> bool:
    """A worker could not run a check at all."""
    return store_check(contract.AccountChecked(check_id=check_id, ok=False, message=message))


def expire_checks() -> int:
    """Fail the checks that nobody answered; gives their number."""
    return ProviderAccount.all_tenants.filter(
        check_state=CheckState.PENDING,
        check_requested_at__lt=timezone.now() - timedelta(seconds=CHECK_SECONDS),
    ).update(
        check_state=CheckState.FAILED,
        checked_at=timezone.now(),
        check_message=_("The media worker did not answer in time."),
    )


def note_problem(account: ProviderAccount, event: contract.ProviderProblem) -> None:
    """Show on the account what went wrong with it last."""
    ProviderAccount.all_tenants.filter(pk=account.pk).update(
        last_problem_kind=event.kind.value,
        last_problem_message=plain(event.message),
        last_problem_at=timezone.now(),
    )


def provider_access(account: ProviderAccount) -> contract.ProviderAccess:
    """Address and key for a worker; the one place where a key is opened."""
    return contract.ProviderAccess(
        account_id=str(account.public_id),
        name=account.name,
        url=account.url,
        api_key=account.secret.reveal(),
        auth=account.auth,
        networks=tuple(settings.ALLOWED_NETWORKS) if account.tenant else None,
    )


_CHECK_FIELDS: Final = [
    "check_id",
    "check_state",
    "check_kind",
    "check_message",
    "check_requested_at",
    "checked_at",
]


def _forget_check_of_old_address(account: ProviderAccount) -> None:
    stored = ProviderAccount.all_tenants.only("url", "auth").get(pk=account.pk)
    if (stored.url, stored.auth) != (account.url, account.auth):
        account.forget_check()


def _host(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _scope_of(account: ProviderAccount) -> Any:
    return scope(tenant=account.tenant) if account.tenant else scopes_disabled()


def _uuid_or_none(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
