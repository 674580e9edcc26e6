"""Sign-in policy for django-allauth."""

from __future__ import annotations

import base64
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
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
    """Keep for a while that a sign-in is held up; once each time in the logs of its tenants."""
    from tenants.models import Member
    from tenants.services import audit

    if not cache.add(locked_key(email), 1, LOCKED_SECONDS):
        return
    members = Member.all_tenants.filter(user__email__iexact=email).select_related("tenant", "user")
    for member in members:
        audit.record("user.locked", member.user, tenant=member.tenant, user=None)
