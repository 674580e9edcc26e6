"""Sign-in policy for django-allauth, and what the audit log says of people's sign-ins."""

from __future__ import annotations

import base64
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.signals import password_changed, password_reset
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import reverse

LOCKED_SECONDS: Final = 300
"""As long as the rate limit login_failed of ACCOUNT_RATE_LIMITS counts."""
MFA_CONTEXT: Final = "mfa.authenticator.data:platform"


class ClosedAccountAdapter(DefaultAccountAdapter):
    """Nobody signs up: people come by invitation, or the operator makes them."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Hold up who guesses; the tenant's owners see it, and the audit log says so."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            note_locked(str(credentials.get("email", "")))
            raise

    def get_reset_password_from_key_url(self, key: str) -> str:
        """By the address that people type, whatever host the request named."""
        from tenants.services.mail import absolute

        user, _dash, token = key.partition("-")
        return absolute(
            reverse("account_reset_password_from_key", kwargs={"uidb36": user, "key": token})
        )

    def format_email_subject(self, subject: str) -> str:
        return f"pbxai: {subject}"


class SealedMFAAdapter(DefaultMFAAdapter):
    """Secrets of authenticator apps lie in the database as provider keys do: sealed."""

    def encrypt(self, text: str) -> str:
        sealed = settings.KEYRING.ring().seal(text, MFA_CONTEXT)
        return base64.b64encode(sealed).decode()

    def decrypt(self, encrypted_text: str) -> str:
        opened: str = settings.KEYRING.unseal(base64.b64decode(encrypted_text), MFA_CONTEXT)
        return opened


def locked_key(email: str) -> str:
    return f"locked:{email.strip().lower()}"


def note_locked(email: str) -> None:
    """Keep for a while that a sign-in is held up; once each time in the audit log."""
    from tenants.models import User

    if not cache.add(locked_key(email), 1, LOCKED_SECONDS):
        return
    user = User.objects.filter(email__iexact=email.strip()).first()
    if user is not None:
        note_of_person("user.locked", user, by=None)


def note_of_person(action: str, person: Any, *, by: Any, **detail: Any) -> None:
    """Write what happened to a person's sign-in where it is looked for: in the log of each tenant
    that they belong to, and of one of the operator's people in the installation's own.
    """
    from tenants.models import Member
    from tenants.services import audit

    tenants: list[Any] = [
        member.tenant for member in Member.all_tenants.filter(user=person).select_related("tenant")
    ]
    for tenant in [*tenants, *([None] if person.is_staff else [])]:
        audit.record(action, person, tenant=tenant, user=by, **detail)


def forget_ways(person: Any, *, by: Any) -> int:
    """Take away a person's second step, passkeys and recovery codes: the password is enough again.

    For somebody who lost them. Gives how many there were.
    """
    from allauth.mfa.models import Authenticator

    ways = list(Authenticator.objects.filter(user=person))
    for way in ways:
        way.delete()
        note_of_person("user.way_removed", person, by=by, way=str(way.type))
    return len(ways)


@receiver([password_changed, password_reset])
def note_password(user: Any, **kwargs: Any) -> None:
    note_of_person("user.password", user, by=user)


@receiver([authenticator_added, authenticator_reset])
def note_way(user: Any, authenticator: Any, **kwargs: Any) -> None:
    note_of_person("user.way_added", user, by=user, way=str(authenticator.type))


@receiver(authenticator_removed)
def note_way_gone(user: Any, authenticator: Any, **kwargs: Any) -> None:
    note_of_person("user.way_removed", user, by=user, way=str(authenticator.type))
