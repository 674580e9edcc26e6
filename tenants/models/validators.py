"""What a person may type, with a sentence for each refusal."""

from __future__ import annotations

import functools
import re
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

LANGUAGE_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
"""BCP 47, as far as speech needs it: language, optionally script and region."""
TARGET_NAME: Final = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
NUMBER: Final = re.compile(r"\+?[0-9*#]{1,32}|[A-Za-z0-9._~-]{1,64}")
VISUAL_SEPARATORS: Final = re.compile(r"[-.() ]")
"""RFC 3966 section 3: they carry no meaning in a telephone number."""
LANGUAGES_LIMIT: Final = 50
DOMAIN: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
DOMAINS_LIMIT: Final = 50
SPOKEN_TEXT_LIMIT: Final = 1000
TARGET_LIMIT: Final = 50
NAME_LIMIT: Final = 64
DESCRIPTION_LIMIT: Final = 500
URI_LIMIT: Final = 255


def validate_language(value: str) -> None:
    if not LANGUAGE_TAG.fullmatch(value):
        raise ValidationError(
            _("“%(value)s” is not a language code such as en or de."), params={"value": value}
        )


@functools.cache
def time_zones() -> frozenset[str]:
    """IANA names. The library walks the whole directory of zones each time that it is asked."""
    return frozenset(available_timezones())


def validate_time_zone(value: str) -> None:
    if value not in time_zones():
        raise ValidationError(
            _("“%(value)s” is not a time zone such as Europe/Berlin."), params={"value": value}
        )


def validate_languages(value: Any) -> None:
    """A list of language codes, none of them twice."""
    if not isinstance(value, list) or not 1 <= len(value) <= LANGUAGES_LIMIT:
        raise ValidationError(
            _("Give from one to %(limit)d languages."), params={"limit": LANGUAGES_LIMIT}
        )
    for language in value:
        validate_language(str(language))
        if value.count(language) > 1:
            raise ValidationError(
                _("The language “%(value)s” is there twice."), params={"value": language}
            )


def validate_currency(value: str) -> None:
    """ISO 4217."""
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValidationError(
            _("“%(value)s” is not a currency such as EUR or USD."), params={"value": value}
        )


def validate_domains(value: Any) -> None:
    """A list of domains of e-mail addresses, in lower case."""
    if not isinstance(value, list) or len(value) > DOMAINS_LIMIT:
        raise ValidationError(_("Give at most %(limit)d domains."), params={"limit": DOMAINS_LIMIT})
    for domain in value:
        if not isinstance(domain, str) or not DOMAIN.fullmatch(domain) or len(domain) > 253:
            raise ValidationError(
                _("“%(value)s” is not a domain such as example.com."), params={"value": domain}
            )


def validate_number(value: str) -> None:
    if not NUMBER.fullmatch(value):
        raise ValidationError(
            _("“%(value)s” is not a number or extension: digits, perhaps a leading +, or a name."),
            params={"value": value},
        )


def normalise_number(value: str) -> str:
    """A telephone number without visual separators; a name as it is."""
    bare = VISUAL_SEPARATORS.sub("", value.strip())
    return bare if re.fullmatch(r"\+?[0-9*#]+", bare) else value.strip()


def validate_provider_url(value: str) -> None:
    """A WebSocket address without credentials, which would end up in logs."""
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - raises when it is no port
    except ValueError:
        raise ValidationError(_("This is not a web address.")) from None
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise ValidationError(_("The address must begin with wss:// (or ws:// on this machine)."))
    if parts.username or parts.password:
        raise ValidationError(_("The address must not hold a name or password; use the key field."))
    if parts.fragment or re.search(r"[\s\x00-\x1f]", value):
        raise ValidationError(_("This is not a web address."))


def validate_secret(value: str) -> None:
    """A key goes into an HTTP header: visible ASCII, no blanks (RFC 9110 section 5.5)."""
    if not re.fullmatch(r"[\x21-\x7e]{1,4096}", value):
        raise ValidationError(_("A key has no blanks and no special characters."))


def validate_max_output_tokens(value: str) -> None:
    if value != "inf" and not (value.isascii() and value.isdigit() and 1 <= int(value) <= 4096):
        raise ValidationError(_("Give a number from 1 to 4096, or inf for no limit."))


def validate_idle_timeout(value: int) -> None:
    if value != 0 and not 5000 <= value <= 30000:
        raise ValidationError(_("Give 0 for none, or 5000 to 30000 milliseconds."))


def validate_not_blank(value: str) -> None:
    if not value.strip():
        raise ValidationError(_("This must not be empty; leave it unset to inherit it."))


def validate_greetings(value: Any) -> None:
    """Texts by language; an empty text means that nothing is said in that language."""
    _validate_texts(value)


def validate_apologies(value: Any) -> None:
    """Texts by language, none of them empty: a caller never meets dead air."""
    _validate_texts(value)
    if any(not text.strip() for text in value.values()):
        raise ValidationError(_("Every apology needs words."))


def _validate_texts(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError(_("Texts are given by language."))
    for language, text in value.items():
        validate_language(str(language))
        if not isinstance(text, str) or len(text) > SPOKEN_TEXT_LIMIT:
            raise ValidationError(
                _("The text for “%(language)s” must be at most %(limit)d characters."),
                params={"language": language, "limit": SPOKEN_TEXT_LIMIT},
            )


def validate_transfer_targets(value: Any) -> None:
    """A list of {name, uri, description}; names are said by the model, so they are plain words."""
    if not isinstance(value, list) or len(value) > TARGET_LIMIT:
        raise ValidationError(
            _("Give at most %(limit)d transfer targets."), params={"limit": TARGET_LIMIT}
        )
    names = [_validate_target(target) for target in value]
    for name in names:
        if names.count(name) > 1:
            raise ValidationError(
                _("The transfer target “%(name)s” is there twice."), params={"name": name}
            )


def _validate_target(target: Any) -> str:
    if (
        not isinstance(target, dict)
        or not set(target) <= {"name", "uri", "description"}
        or not all(isinstance(value, str) for value in target.values())
    ):
        raise ValidationError(_("A transfer target has a name, an address and a description."))
    name: str = target.get("name", "")
    if not TARGET_NAME.fullmatch(name) or len(name) > NAME_LIMIT:
        raise ValidationError(
            _("“%(name)s” cannot name a transfer target: use lower-case letters, digits, - and _."),
            params={"name": name},
        )
    validate_transfer_uri(target.get("uri", ""))
    if len(target.get("description", "")) > DESCRIPTION_LIMIT:
        raise ValidationError(
            _("The description of “%(name)s” is longer than %(limit)d characters."),
            params={"name": name, "limit": DESCRIPTION_LIMIT},
        )
    return name


def validate_transfer_uri(value: str) -> None:
    """An address that a REFER may name: sip:, sips: (RFC 3261 section 19.1) or tel: (RFC 3966)."""
    scheme, _colon, rest = value.partition(":")
    visible = re.fullmatch(r"[\x21-\x7e]+", rest) is not None and not set(rest) & set('<>"')
    if scheme == "tel":
        good = re.fullmatch(r"\+?[0-9*#().-]+(;[!-~]+)?", rest) is not None
    else:
        host = rest.partition("@")[2] if "@" in rest else rest
        good = scheme in {"sip", "sips"} and re.match(r"[A-Za-z0-9\[]", host) is not None
    if not (good and visible) or len(value) > URI_LIMIT:
        raise ValidationError(
            _("“%(value)s” is not an address such as sip:sales@pbx.example.com or tel:+4930123."),
            params={"value": value},
        )
