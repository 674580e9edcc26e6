"""The operator's defaults for everybody, and which of them nobody may override."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction

from tenants.models import PlatformSettings, User
from tenants.models.settings import SETTING_NAMES
from tenants.services import audit
from tenants.services.effective import merge

AUDITED: Final = (*SETTING_NAMES, "locked")


def save_platform_settings(*, row: PlatformSettings, user: User | None) -> PlatformSettings:
    """Check and save; new calls have them at once. Prompts are for the caller to prepare.

    Raises ValidationError, also when values cannot hold together.
    """
    with transaction.atomic():
        row.locked = [name for name in SETTING_NAMES if name in row.locked]
        row.full_clean()
        conflicts = merge([("platform", row)]).conflicts()
        if conflicts:
            raise ValidationError({name: [words] for name, words in conflicts.items()})
        before = PlatformSettings.objects.filter(pk=PlatformSettings.PK).first()
        row.save()
        audit.record(
            "platform.edit",
            row,
            tenant=None,
            user=user,
            changes=audit.diff(before, row, AUDITED),
        )
    return row
