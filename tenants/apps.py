"""The web side as Django apps."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = _("pbxai")

    def ready(self) -> None:
        from pbxai import checks  # noqa: F401 - registers them
