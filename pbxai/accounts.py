"""Sign-in policy for django-allauth."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAccountAdapter(DefaultAccountAdapter):
    """Nobody signs up; the operator and the tenants' owners make the users."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
