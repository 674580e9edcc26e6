"""Keys to the REST API: made for one tenant, shown once, never good for more than their maker."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django_scopes import scope

from tenants.access import RIGHTS, SCOPE_RIGHTS
from tenants.models import ApiToken, Member, Tenant, User
from tenants.models.token import SCOPES, validate_scopes
from tenants.services import audit

KEY_WORD: Final = "pbxt"
"""What every token begins with, so that a log or a scanner knows one (pbxai/logs.py hides it)."""
RANDOM_BYTES: Final = 32
USE_NOTED_EVERY: Final = timedelta(minutes=1)
AUDITED: Final = ("name", "scopes", "expires_at")


def authenticate(token: str) -> ApiToken | None:
    """The token that this text is, with its tenant and its maker, if it holds now; notes its use.

    What it may is for tenants.access.token_may to say. Whatever is wrong with it, the answer is
    the same None.
    """
    word, _sep, rest = token.partition("_")
    key, _sep, _secret = rest.partition("_")
    try:
        public_id = uuid.UUID(hex=key)
    except ValueError:
        return None
    row = (
        ApiToken.all_tenants.select_related("tenant", "created_by")
        .filter(public_id=public_id)
        .first()
    )
    good = hmac.compare_digest(row.digest if row else "", _digest(token))
    now = timezone.now()
    if row is None or not good or word != KEY_WORD:
        return None
    if not row.holds_at(now) or not row.created_by.is_active:
        return None
    if row.last_used_at is None or now - row.last_used_at >= USE_NOTED_EVERY:
        ApiToken.all_tenants.filter(pk=row.pk).update(last_used_at=now)
        row.last_used_at = now
    return row


def grantable(member: Member) -> list[str]:
    """The scopes that a member may give to a token: never more than they have."""
    rights = RIGHTS.get(member.role, frozenset())
    return [scope for scope in SCOPES if SCOPE_RIGHTS[scope] in rights]


def create_token(
    *,
    tenant: Tenant,
    user: User,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None,
) -> tuple[ApiToken, str]:
    """Make a token; gives its text too, which is not kept and cannot be shown again.

    `expires_at` None: it holds until somebody withdraws it. Raises ValidationError, also when the
    user is no member or the scopes go beyond the user's role.
    """
    row = ApiToken(tenant=tenant, name=name.strip(), scopes=list(scopes), created_by=user)
    row.expires_at = expires_at
    text = f"{KEY_WORD}_{row.public_id.hex}_{secrets.token_urlsafe(RANDOM_BYTES)}"
    row.digest, row.hint = _digest(text), text[-4:]
    with scope(tenant=tenant), transaction.atomic():
        row.clean_fields(exclude=["scopes"])
        try:
            validate_scopes(row.scopes)
        except ValidationError as error:
            raise ValidationError({"scopes": error.messages}) from None
        _refuse_more_than_its_maker(row)
        if expires_at is not None and expires_at <= timezone.now():
            raise ValidationError({"expires_at": [_("This lies in the past.")]})
        row.save()
        audit.record(
            "token.create",
            row,
            tenant=tenant,
            user=user,
            changes=audit.diff(None, row, AUDITED),
        )
    return row, text


def revoke_token(*, token: ApiToken, user: User | None) -> None:
    """Withdraw a token: it is refused from now on. One that is withdrawn already stays so."""
    with transaction.atomic():
        withdrawn = ApiToken.all_tenants.filter(pk=token.pk, revoked_at=None).update(
            revoked_at=timezone.now()
        )
        if withdrawn:
            audit.record("token.revoke", token, tenant=token.tenant, user=user)


def revoke_of(*, member: Member, user: User | None) -> None:
    """Withdraw what a member made: should they come back, their old tokens do not."""
    made = ApiToken.all_tenants.select_related("tenant").filter(
        tenant_id=member.tenant_id, created_by_id=member.user_id, revoked_at=None
    )
    for token in made:
        revoke_token(token=token, user=user)


def _refuse_more_than_its_maker(row: ApiToken) -> None:
    member = Member.all_tenants.filter(tenant=row.tenant, user=row.created_by).first()
    allowed = grantable(member) if member else []
    beyond = [name for name in row.scopes if name not in allowed]
    if beyond:
        words = _("Your role does not allow: %(scopes)s.") % {"scopes": ", ".join(beyond)}
        raise ValidationError({"scopes": [words]})


def _digest(text: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(text.encode()).hexdigest()
