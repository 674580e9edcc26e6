"""The settings of a conversation as a document, made from the model's own fields.

Ranges, choices and lengths come from tenants/models/settings.py, so the schema says what the
validators say. None means: inherited from the level above.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator, StepValueValidator
from django.db import models
from pydantic import BaseModel, Field, WithJsonSchema, create_model

from tenants.api.v1.errors import refused
from tenants.api.v1.types import Output, example, example_input
from tenants.models import ProviderAccount, Tenant
from tenants.models.session_extra import KNOWN
from tenants.models.settings import SETTING_NAMES, SettingsFields
from tenants.models.validators import LANGUAGE_TAG, SPOKEN_TEXT_LIMIT
from tenants.services.accounts import offered_accounts
from tenants.services.effective import TEXT_NAMES, EffectiveSettings

LANGUAGE_PATTERN: Final = f"^{LANGUAGE_TAG.pattern}$"
LANGUAGE_LIMIT: Final = 35
NOT_BLANK: Final = r"[^\s\x1c-\x1f\x85]"
r"""`\s` as Python's str.strip has it, which not all regular expressions do."""
TOKENS_PATTERN: Final = r"^(inf|[1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-6])$"
_JSON_TYPES: Final = {bool: "boolean", str: "string", dict: "object", list: "array"}
_EXTRA_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        name: {"type": [_JSON_TYPES[kind] for kind in kinds]} for name, kinds in KNOWN.items()
    },
    "additionalProperties": False,
}


def texts_type(*, may_be_empty: bool) -> Any:
    """Texts by language code."""
    pattern = None if may_be_empty else NOT_BLANK
    language = Annotated[str, Field(pattern=LANGUAGE_PATTERN, max_length=LANGUAGE_LIMIT)]
    text = Annotated[str, Field(max_length=SPOKEN_TEXT_LIMIT, pattern=pattern)]
    texts: dict[str, Any] = {"type": "string", "maxLength": SPOKEN_TEXT_LIMIT}
    # pydantic would describe the names by patternProperties, which leave all other names open.
    described = {
        "type": "object",
        "propertyNames": {"pattern": LANGUAGE_PATTERN, "maxLength": LANGUAGE_LIMIT},
        "additionalProperties": texts | ({} if may_be_empty else {"pattern": NOT_BLANK}),
    }
    return Annotated[dict[language, text], WithJsonSchema(described)]  # type: ignore[valid-type]


_SPECIAL: Final[dict[str, Any]] = {
    "provider_account": Annotated[UUID, Field(strict=False, description="Id of one of /accounts.")],
    "model": Annotated[str, Field(max_length=100, pattern=NOT_BLANK)],
    "voice": Annotated[str, Field(max_length=100, pattern=NOT_BLANK)],
    "language": Annotated[str, Field(max_length=35, pattern=LANGUAGE_PATTERN)],
    "transcription_language": Annotated[
        str, Field(max_length=35, pattern=f"^({LANGUAGE_TAG.pattern})?$")
    ],
    "max_output_tokens": Annotated[str, Field(pattern=TOKENS_PATTERN)],
    "idle_timeout_ms": Annotated[int, Field(ge=5000, le=30000)] | Literal[0],
    "session_extra": Annotated[dict[str, Any], WithJsonSchema(_EXTRA_SCHEMA)],
    "greetings": texts_type(may_be_empty=True),
    "consents": texts_type(may_be_empty=True),
    "apologies": texts_type(may_be_empty=False),
}


def field_type(field: models.Field[Any, Any]) -> Any:
    """The type of a setting's document, without None."""
    if field.name in _SPECIAL:
        return _SPECIAL[field.name]
    if field.choices:
        return Literal[tuple(str(value) for value, _label in field.flatchoices)]
    if isinstance(field, models.BooleanField):
        return bool
    if isinstance(field, models.TextField | models.CharField):
        return Annotated[str, Field(max_length=field.max_length)]
    limits: dict[str, Any] = {}
    for validator in field.validators:
        limit: Any = getattr(validator, "limit_value", None)
        if isinstance(validator, StepValueValidator):
            limits["multiple_of"] = limit
        elif isinstance(validator, MinValueValidator):
            limits["ge"] = max(limit, limits.get("ge", limit))
        elif isinstance(validator, MaxValueValidator):
            limits["le"] = min(limit, limits.get("le", limit))
    number: Any = float if isinstance(field, models.FloatField) else int
    return Annotated[number, Field(**limits)]


def _document(name: str, config: Any) -> type[BaseModel]:
    fields: dict[str, Any] = {
        field.name: (
            field_type(field) | None,
            Field(None, description=f"{field.verbose_name}. {field.help_text}".rstrip(". ") + "."),
        )
        for field in SettingsFields._meta.local_fields
    }
    model: type[BaseModel] = create_model(name, __config__=config, **fields)
    return model


_EXAMPLE: Final[dict[str, Any]] = {
    "voice": "marin",
    "instructions": "You are the reception of Acme Dental.",
    "language": "de",
    "interrupt": True,
    "greetings": {"de": "Zahnarztpraxis Acme, guten Tag!"},
}
SettingsDocument: Any = _document("Settings", example(_EXAMPLE))
SettingsInput: Any = _document("SettingsInput", example_input(_EXAMPLE))


def settings_document(row: SettingsFields) -> Any:
    """What a level itself sets."""
    values = {name: getattr(row, name) for name in SETTING_NAMES}
    account = values["provider_account"]
    values["provider_account"] = account.public_id if account else None
    return SettingsDocument.model_construct(**values)


def take_settings(row: SettingsFields, given: BaseModel, tenant: Tenant, place: str = "#") -> None:
    """Put what was given onto a row; what was not stays. Nothing is saved.

    `place` points to the settings in the body.
    """
    for name in given.model_fields_set:
        value = getattr(given, name)
        if name == "provider_account" and value is not None:
            value = offered_account(tenant, value, f"{place}/provider_account")
        setattr(row, name, value)


class EffectiveValue(Output):
    model_config = example(
        {"value": "marin", "level": "tenant", "inherited": "marin", "locked": False}
    )
    value: Any = Field(description="What holds; of texts, by language.")
    level: Literal["platform", "tenant", "agent"] = Field(description="Who set it.")
    inherited: Any = Field(description="What would hold if this level did not set it.")
    locked: bool = Field(
        description="The operator has locked it: only the platform's value counts."
    )


class Effective(Output):
    model_config = example(
        {
            "values": {
                "voice": {
                    "value": "marin",
                    "level": "agent",
                    "inherited": "cedar",
                    "locked": False,
                }
            },
            "conflicts": {},
        }
    )
    values: dict[str, EffectiveValue] = Field(description="By setting; texts as `greetings.de`.")
    conflicts: dict[str, str] = Field(description="Settings that cannot hold together.")


def effective_document(effective: EffectiveSettings) -> Effective:
    """What holds and where it comes from."""
    found = dict(effective.values)
    for name in TEXT_NAMES:
        found |= {f"{name}.{code}": one for code, one in getattr(effective, name).items()}
    return Effective(
        values={
            name: EffectiveValue(
                value=plain_value(one.value),
                level=one.level,
                inherited=plain_value(one.inherited),
                locked=one.locked,
            )
            for name, one in found.items()
        },
        conflicts=effective.conflicts(),
    )


def plain_value(value: Any) -> Any:
    return str(value.public_id) if isinstance(value, ProviderAccount) else value


def offered_account(tenant: Tenant, public_id: UUID, pointer: str) -> ProviderAccount:
    account = offered_accounts(tenant).filter(public_id=public_id).first()
    if account is None:
        raise refused("There is no such provider account.", pointer=pointer)
    return account
