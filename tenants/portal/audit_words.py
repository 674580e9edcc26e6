"""The audit log's codes as a person reads them; a code without words is shown as it is."""

from __future__ import annotations

from typing import Any, Final

from django.utils import formats, timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models.choices import Role
from tenants.portal import setting_words
from tenants.services.audit import CHANGED, SET

LONGEST: Final = 400
"""Characters of a value that are shown; the export of all data has it whole."""

_NOUNS: Final[dict[str, str | Promise]] = {
    "account": gettext_lazy("Provider accounts"),
    "agent": gettext_lazy("Agents"),
    "call": gettext_lazy("Calls"),
    "calls": gettext_lazy("Lists of calls"),
    "export": gettext_lazy("Exports of all data"),
    "identity": gettext_lazy("Sign-in"),
    "member": gettext_lazy("Members"),
    "number": gettext_lazy("Numbers"),
    "prompt": gettext_lazy("Spoken sentences"),
    "recording": gettext_lazy("Recordings"),
    "retention": gettext_lazy("Retention"),
    "settings": gettext_lazy("Settings"),
    "support": gettext_lazy("Support access"),
    "tenant": gettext_lazy("Company"),
    "token": gettext_lazy("API tokens"),
    "user": gettext_lazy("Sign-ins of people"),
    "worker": gettext_lazy("Media workers"),
    "job": gettext_lazy("Jobs"),
    "model": gettext_lazy("Models"),
    "price": gettext_lazy("Prices"),
    "platform": gettext_lazy("Platform"),
    "console": gettext_lazy("Raw access"),
}
_ACTIONS: Final[dict[str, str | Promise]] = {
    "account.check": gettext_lazy("checked the key"),
    "account.create": gettext_lazy("added the provider account"),
    "account.delete": gettext_lazy("removed the provider account"),
    "account.edit": gettext_lazy("changed the provider account"),
    "account.rotate_begin": gettext_lazy("gave the next key"),
    "account.rotate_cancel": gettext_lazy("discarded the next key"),
    "account.rotate": gettext_lazy("changed over to the next key"),
    "agent.create": gettext_lazy("made the agent"),
    "agent.edit": gettext_lazy("changed the agent's draft"),
    "agent.publish": gettext_lazy("published the agent"),
    "agent.roll_back": gettext_lazy("rolled the agent back"),
    "agent.try": gettext_lazy("tried the agent"),
    "call.delete": gettext_lazy("deleted the call"),
    "call.download": gettext_lazy("downloaded the call"),
    "call.hang_up": gettext_lazy("ended the call"),
    "calls.export": gettext_lazy("exported a list of calls"),
    "export.ask": gettext_lazy("asked for all data"),
    "export.delete": gettext_lazy("deleted the export"),
    "export.download": gettext_lazy("downloaded all data"),
    "export.made": gettext_lazy("made the export"),
    "tenant.close_ask": gettext_lazy("asked for the end of the company"),
    "tenant.close_take_back": gettext_lazy("took the end back"),
    "tenant.closed": gettext_lazy("deleted the company"),
    "identity.create": gettext_lazy("added the identity provider"),
    "identity.delete": gettext_lazy("removed the identity provider"),
    "identity.edit": gettext_lazy("changed the identity provider"),
    "member.edit": gettext_lazy("changed the role"),
    "member.invite": gettext_lazy("invited"),
    "member.invite_again": gettext_lazy("invited again"),
    "member.join": gettext_lazy("joined"),
    "member.remove": gettext_lazy("removed the member"),
    "member.uninvite": gettext_lazy("withdrew the invitation"),
    "number.create": gettext_lazy("added the number"),
    "number.delete": gettext_lazy("removed the number"),
    "number.edit": gettext_lazy("changed the number"),
    "recording.delete": gettext_lazy("deleted the recording"),
    "settings.edit": gettext_lazy("changed the settings"),
    "support.enter": gettext_lazy("came in as support"),
    "support.grant": gettext_lazy("let support in"),
    "support.revoke": gettext_lazy("sent support out"),
    "tenant.create": gettext_lazy("made the company"),
    "tenant.edit": gettext_lazy("changed the company"),
    "user.locked": gettext_lazy("was held up after too many wrong passwords"),
    "token.create": gettext_lazy("made the token"),
    "token.revoke": gettext_lazy("withdrew the token"),
}
_FIELDS: Final[dict[str, str | Promise]] = {
    "name": gettext_lazy("name"),
    "role": gettext_lazy("role"),
    "email": gettext_lazy("e-mail address"),
    "url": gettext_lazy("address"),
    "auth": gettext_lazy("how the key is sent"),
    "secret": gettext_lazy("key"),
    "scopes": gettext_lazy("rights"),
    "expires_at": gettext_lazy("valid until"),
    "time_zone": gettext_lazy("time zone"),
    "languages": gettext_lazy("languages"),
    "keep_transcripts_days": gettext_lazy("keep transcripts, days"),
    "keep_recordings_days": gettext_lazy("keep recordings, days"),
    "listen_in": gettext_lazy("who may listen to running calls"),
    "reason": gettext_lazy("reason"),
    "number": gettext_lazy("number"),
    "label": gettext_lazy("label"),
    "agent": gettext_lazy("agent"),
    "language": gettext_lazy("language"),
    "is_active": gettext_lazy("active"),
    "opening_hours": gettext_lazy("opening hours"),
    "note": gettext_lazy("note"),
    "issuer": gettext_lazy("issuer"),
    "client_id": gettext_lazy("client id"),
    "domains": gettext_lazy("domains"),
    "identity": gettext_lazy("identity provider"),
    "size": gettext_lazy("bytes"),
    "closing_at": gettext_lazy("deleted after"),
}


def nouns() -> list[str]:
    return sorted(_NOUNS)


def noun(code: str) -> str:
    return str(_NOUNS.get(code, code))


def action(code: str) -> str:
    return str(_ACTIONS.get(code, code))


def field(name: str) -> str:
    return str(_FIELDS.get(name) or setting_words.LABELS.get(name) or name)


def _moment(found: Any) -> str:
    """A moment as it is kept, in the reader's zone; of anything else nothing."""
    try:
        moment = parse_datetime(found) if isinstance(found, str) else None
    except ValueError:
        return ""
    if moment is None or timezone.is_naive(moment):
        return ""
    return formats.date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")


def value(found: Any, name: str = "") -> str:
    """One side of a change of that field; of a secret only that it was there or changed."""
    if name == "role" and str(found) in Role.values:
        return str(Role(found).label)
    if found is None or found == "":
        return _("nothing")
    if found == SET:
        return _("set")
    if found == CHANGED:
        return _("changed")
    if isinstance(found, bool):
        return _("yes") if found else _("no")
    if isinstance(found, list):
        return ", ".join(value(item) for item in found) or _("nothing")
    if isinstance(found, dict):
        return "; ".join(f"{key}: {value(item)}" for key, item in found.items()) or _("nothing")
    text = _moment(found) or str(found)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
