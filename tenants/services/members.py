"""Who belongs to a tenant: invited by mail, with a role, and never without an owner.

invite -> a letter with a link -> accept (somebody known) or join (somebody new) -> Member
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from datetime import timedelta
from typing import Final

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django_scopes import scope

from tenants.models import Invitation, Member, Tenant, User
from tenants.models.choices import Role
from tenants.models.invitation import OPEN_INVITATION
from tenants.services import audit, mail, tokens

KEY_WORD: Final = "pbxi"
RANDOM_BYTES: Final = 32
HOLDS_DAYS: Final = 7
LETTERS_AN_HOUR: Final = 50
"""So that nobody sends letters to the world through us."""


class LastOwner(ValidationError):  # noqa: N818 - says what is the matter
    """The tenant would be without an owner who can sign in."""

    def __init__(self) -> None:
        super().__init__(_("This is the last owner. Make somebody else an owner first."))


class NotForYou(Exception):  # noqa: N818 - says what is the matter
    """The invitation is over, withdrawn, used, or somebody else's."""


def invite(*, tenant: Tenant, user: User | None, email: str, role: str) -> tuple[Invitation, str]:
    """Ask somebody to become a member; gives the link's token, which is not kept.

    The letter is for `send_letter`. Raises ValidationError: a member already, invited already,
    too many letters.
    """
    with scope(tenant=tenant), transaction.atomic():
        _lock(tenant)
        _forget_expired(tenant, email)
        _refuse_too_many(tenant)
        row = Invitation(tenant=tenant, email=email.strip().lower(), role=role, invited_by=user)
        if Member.all_tenants.filter(tenant=tenant, user__email__iexact=row.email).exists():
            raise ValidationError({"email": [_("This person is a member already.")]})
        token = _renew(row)
        row.clean_fields(exclude=["invited_by", "accepted_at", "accepted_by", "revoked_at"])
        row.validate_constraints()
        row.save()
        audit.record(
            "member.invite",
            row,
            tenant=tenant,
            user=user,
            changes=audit.diff(None, row, ("email", "role")),
        )
    return row, token


def renew(*, invitation: Invitation, user: User | None) -> str:
    """A new link for an invitation that is open; the old one is dead. Raises ValidationError."""
    with scope(tenant=invitation.tenant), transaction.atomic():
        _lock(invitation.tenant)
        _refuse_too_many(invitation.tenant)
        if not Invitation.all_tenants.filter(OPEN_INVITATION, pk=invitation.pk).exists():
            raise ValidationError(_("This invitation is over."))
        token = _renew(invitation)
        invitation.save(update_fields=["digest", "expires_at"])
        audit.record("member.invite_again", invitation, tenant=invitation.tenant, user=user)
    return token


def send_letter(*, invitation: Invitation, token: str, language: str) -> bool:
    """Send the link to whom it is for; False when the letter did not go out."""
    inviter = invitation.invited_by
    known = User.objects.filter(email__iexact=invitation.email).first()
    return mail.send(
        to=invitation.email,
        letter="invitation",
        language=(known.language if known else "") or language,
        tenant=invitation.tenant.name,
        inviter=inviter.get_full_name() if inviter else "",
        role=Role(invitation.role).label,
        link=link_of(token),
        days=HOLDS_DAYS,
    )


def link_of(token: str) -> str:
    return mail.absolute(reverse("portal:invitation", args=[token]))


def withdraw(*, invitation: Invitation, user: User | None) -> None:
    """Take an open invitation back; one that is over stays as it is."""
    with transaction.atomic():
        gone = Invitation.all_tenants.filter(OPEN_INVITATION, pk=invitation.pk).update(
            revoked_at=timezone.now()
        )
        if gone:
            audit.record("member.uninvite", invitation, tenant=invitation.tenant, user=user)


def find_invitation(token: str) -> Invitation | None:
    """The open invitation that a link's token is for; whatever is wrong with it, None."""
    word, _sep, rest = token.partition("_")
    key, _sep, _secret = rest.partition("_")
    try:
        public_id = uuid.UUID(hex=key)
    except ValueError:
        return None
    row = (
        Invitation.all_tenants.select_related("tenant", "invited_by")
        .filter(OPEN_INVITATION, public_id=public_id, expires_at__gt=timezone.now())
        .first()
    )
    good = hmac.compare_digest(row.digest if row else "", _digest(token))
    return row if row and good and word == KEY_WORD and row.tenant.is_active else None


def accept(*, token: str, user: User) -> Member:
    """Make somebody who is signed in a member. Raises NotForYou, also when the invitation is for
    another address.
    """
    with transaction.atomic():
        row = _take(token)
        if row.email.lower() != user.email.lower():
            raise NotForYou
        return _become(row, user)


def join(*, token: str, name: str, password: str, language: str) -> Member:
    """Make a user of somebody new, and a member. Raises NotForYou, also when the address is known
    (they have to sign in), and ValidationError of the password.
    """
    with transaction.atomic():
        row = _take(token)
        if User.objects.filter(email__iexact=row.email).exists():
            raise NotForYou
        user = User(
            email=row.email, name=name.strip(), language=language, time_zone=row.tenant.time_zone
        )
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise ValidationError({"password": error.messages}) from None
        user.set_password(password)
        user.full_clean()
        user.save()
        return _become(row, user)


def change_role(*, member: Member, role: str, user: User | None) -> Member:
    """Give a member another role. Raises ValidationError; LastOwner when nobody would own."""
    with scope(tenant=member.tenant), transaction.atomic():
        stored = _stored(member)
        before = audit.snapshot(stored, ["role"])
        stored.role = role
        stored.full_clean()
        if before["role"] == Role.OWNER and role != Role.OWNER:
            _refuse_last(stored)
        stored.save(update_fields=["role"])
        changes = audit.diff(before, stored, ["role"])
        if changes:
            audit.record("member.edit", stored, tenant=stored.tenant, user=user, changes=changes)
    return stored


def remove(*, member: Member, user: User | None) -> None:
    """End a membership, and withdraw the tokens that the member made. Raises LastOwner."""
    with scope(tenant=member.tenant), transaction.atomic():
        stored = _stored(member)
        if stored.role == Role.OWNER:
            _refuse_last(stored)
        tokens.revoke_of(member=stored, user=user)
        audit.record(
            "member.remove",
            stored,
            tenant=stored.tenant,
            user=user,
            changes={"role": [stored.role, None]},
        )
        stored.delete()


def _lock(tenant: Tenant) -> None:
    """Whoever changes who belongs to the tenant waits here for the one before."""
    Tenant.objects.select_for_update().get(pk=tenant.pk)


def _stored(member: Member) -> Member:
    """The row as it is now, with the tenant locked; Member.DoesNotExist when it has gone."""
    _lock(member.tenant)
    return Member.all_tenants.select_related("tenant", "user").get(pk=member.pk)


def _refuse_last(member: Member) -> None:
    others = Member.all_tenants.filter(
        tenant_id=member.tenant_id, role=Role.OWNER, user__is_active=True
    ).exclude(pk=member.pk)
    if not others.exists():
        raise LastOwner


def _forget_expired(tenant: Tenant, email: str) -> None:
    Invitation.all_tenants.filter(
        OPEN_INVITATION,
        tenant=tenant,
        email__iexact=email.strip(),
        expires_at__lte=timezone.now(),
    ).update(revoked_at=timezone.now())


def _refuse_too_many(tenant: Tenant) -> None:
    # Each letter moves the end of its invitation to HOLDS_DAYS from then.
    an_hour_ago = timezone.now() + timedelta(days=HOLDS_DAYS) - timedelta(hours=1)
    recent = Invitation.all_tenants.filter(tenant=tenant, expires_at__gt=an_hour_ago).count()
    if recent >= LETTERS_AN_HOUR:
        raise ValidationError(_("Too many invitations for now. Go on in an hour."))


def _renew(row: Invitation) -> str:
    token = f"{KEY_WORD}_{row.public_id.hex}_{secrets.token_urlsafe(RANDOM_BYTES)}"
    row.digest = _digest(token)
    row.expires_at = timezone.now() + timedelta(days=HOLDS_DAYS)
    return token


def _take(token: str) -> Invitation:
    """The invitation with its tenant locked, so that it makes one member and no more."""
    found = find_invitation(token)
    if found is None:
        raise NotForYou
    _lock(found.tenant)
    row = find_invitation(token)
    if row is None:
        raise NotForYou
    return row


def _become(row: Invitation, user: User) -> Member:
    """A member already keeps the role that they have: an old link takes nothing away."""
    now = timezone.now()
    with scope(tenant=row.tenant):
        Invitation.all_tenants.filter(pk=row.pk).update(accepted_at=now, accepted_by=user)
        member, is_new = Member.all_tenants.get_or_create(
            tenant=row.tenant,
            user=user,
            defaults={"role": row.role, "created_by": row.invited_by},
        )
        if is_new:
            audit.record(
                "member.join",
                member,
                tenant=row.tenant,
                user=user,
                changes=audit.diff(None, member, ["role"]),
            )
    return member


def _digest(token: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(token.encode()).hexdigest()
