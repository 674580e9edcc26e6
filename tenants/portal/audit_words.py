"""The audit log's codes as a person reads them; a code without words is shown as it is."""

from __future__ import annotations

from typing import Any, Final

from django.utils import formats, timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models.choices import Auth, Role
from tenants.models.settings import SETTING_NAMES
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
    "admin": gettext_lazy("Raw access"),
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
    "call.listen": gettext_lazy("listened to the call"),
    "call.mute": gettext_lazy("muted the agent, or let it speak again"),
    "call.note": gettext_lazy("wrote a note on the call"),
    "call.say": gettext_lazy("had the agent say something"),
    "call.tag": gettext_lazy("tagged the call"),
    "call.transfer": gettext_lazy("transferred the call"),
    "call.unnote": gettext_lazy("removed a note from the call"),
    "call.untag": gettext_lazy("took a tag off the call"),
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
    "job.retry": gettext_lazy("ran the job again"),
    "member.edit": gettext_lazy("changed the role"),
    "member.invite": gettext_lazy("invited"),
    "member.invite_again": gettext_lazy("invited again"),
    "member.join": gettext_lazy("joined"),
    "member.remove": gettext_lazy("removed the member"),
    "member.uninvite": gettext_lazy("withdrew the invitation"),
    "model.create": gettext_lazy("added the model"),
    "model.edit": gettext_lazy("changed the model"),
    "number.create": gettext_lazy("added the number"),
    "number.delete": gettext_lazy("removed the number"),
    "number.edit": gettext_lazy("changed the number"),
    "platform.edit": gettext_lazy("changed the defaults for everybody"),
    "price.create": gettext_lazy("added the price"),
    "prompt.listen": gettext_lazy("listened to the sentence"),
    "prompt.order": gettext_lazy("had the sentences spoken"),
    "recording.delete": gettext_lazy("deleted the recording"),
    "retention.apply": gettext_lazy("deleted what was kept long enough"),
    "settings.edit": gettext_lazy("changed the settings"),
    "support.enter": gettext_lazy("came in as support"),
    "support.grant": gettext_lazy("let support in"),
    "support.revoke": gettext_lazy("sent support out"),
    "tenant.create": gettext_lazy("made the company"),
    "tenant.edit": gettext_lazy("changed the company"),
    "tenant.resume": gettext_lazy("switched the company on"),
    "tenant.suspend": gettext_lazy("switched the company off"),
    "user.locked": gettext_lazy("was held up after too many wrong passwords"),
    "user.password": gettext_lazy("has a new password"),
    "user.way_added": gettext_lazy("has a new way to sign in"),
    "user.way_removed": gettext_lazy("lost a way to sign in"),
    "token.create": gettext_lazy("made the token"),
    "token.revoke": gettext_lazy("withdrew the token"),
    "worker.drain": gettext_lazy("drained the media worker"),
    "worker.refused": gettext_lazy("came with a wrong token and was refused"),
    "worker.resume": gettext_lazy("let the media worker take calls again"),
}
_RAW_VERBS: Final[dict[str, str | Promise]] = {
    "create": gettext_lazy("added a record"),
    "edit": gettext_lazy("changed a record"),
    "delete": gettext_lazy("deleted a record"),
}
"""Of what a superuser did in Django's admin: admin.<model>.<verb>."""
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
    "entity_id": gettext_lazy("entity ID"),
    "sso_url": gettext_lazy("sign-in address"),
    "certificates": gettext_lazy("certificates"),
    "domains": gettext_lazy("domains"),
    "identity": gettext_lazy("identity provider"),
    "size": gettext_lazy("bytes"),
    "closing_at": gettext_lazy("deleted after"),
    "slug": gettext_lazy("short name"),
    "max_concurrent_calls": gettext_lazy("calls at once"),
    "max_calls_a_minute": gettext_lazy("calls a minute"),
    "max_numbers": gettext_lazy("numbers at most"),
    "budget_month": gettext_lazy("budget a month"),
    "budget_currency": gettext_lazy("currency of the budget"),
    "locked": gettext_lazy("locked settings"),
    "drain_wanted": gettext_lazy("takes no new call"),
    "call": gettext_lazy("call"),
    "format": gettext_lazy("format"),
    "filter": gettext_lazy("filter"),
    "revision": gettext_lazy("revision"),
    "draft_version": gettext_lazy("version of the draft"),
    "source": gettext_lazy("source"),
    "kind": gettext_lazy("kind"),
    "tag": gettext_lazy("tag"),
    "text": gettext_lazy("text"),
    "texts": gettext_lazy("sentences"),
    "uri": gettext_lazy("address"),
    "muted": gettext_lazy("muted"),
    "transcripts": gettext_lazy("transcripts"),
    "recordings": gettext_lazy("recordings"),
    "began": gettext_lazy("began"),
    "duration_ms": gettext_lazy("milliseconds"),
    "cost": gettext_lazy("cost"),
    "currency": gettext_lazy("currency"),
    "job": gettext_lazy("job"),
    "path": gettext_lazy("path"),
    "message": gettext_lazy("detail"),
    "way": gettext_lazy("way"),
    "provider": gettext_lazy("provider"),
    "formats": gettext_lazy("sound formats"),
    "voices": gettext_lazy("voices"),
    "context_tokens": gettext_lazy("tokens of context"),
    "shutdown_on": gettext_lazy("shut down on"),
    "replacement": gettext_lazy("replacement"),
    "is_offered": gettext_lazy("is suggested"),
    "valid_from": gettext_lazy("valid from"),
    "valid_to": gettext_lazy("valid to"),
    "text_in": gettext_lazy("text in"),
    "text_cached": gettext_lazy("text from the cache"),
    "text_out": gettext_lazy("text out"),
    "audio_in": gettext_lazy("sound in"),
    "audio_cached": gettext_lazy("sound from the cache"),
    "audio_out": gettext_lazy("sound out"),
    "a_minute": gettext_lazy("a minute"),
}


_WAYS: Final[dict[str, str | Promise]] = {
    "totp": gettext_lazy("authenticator app"),
    "webauthn": gettext_lazy("passkey"),
    "recovery_codes": gettext_lazy("recovery codes"),
}


def nouns() -> list[str]:
    return sorted(_NOUNS)


def noun(code: str) -> str:
    return str(_NOUNS.get(code, code))


def action(code: str) -> str:
    if code.startswith("admin."):
        return str(_RAW_VERBS.get(code.rpartition(".")[2], code))
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
    if name == "auth" and str(found) in Auth.values:
        return str(Auth(found).label)
    if name == "way":
        return str(_WAYS.get(found, found))
    if name in SETTING_NAMES and not isinstance(found, dict | list):
        told = _("inherited") if found is None else setting_words.describe(name, found)
        return _cut(told) or _("nothing")
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
    return _cut(_moment(found) or str(found))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
