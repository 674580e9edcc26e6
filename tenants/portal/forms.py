"""What the form pages share."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError


def take_errors(form: forms.BaseForm, error: ValidationError) -> None:
    """Put what a service refused where the form shows it; what has no field goes to the top."""
    by_field: dict[str, Any] = (
        error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
    )
    for name, messages in by_field.items():
        target = name if name in form.fields else None
        for message in messages:
            if message not in form.errors.get(target or NON_FIELD_ERRORS, []):
                form.add_error(target, message)
