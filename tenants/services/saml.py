"""SAML 2.0, web browser SSO: a request by redirect, an answer by POST, signed by the provider.

python3-saml checks signatures, schema, times, audience and issuer; what it leaves open where the
standard does not (profiles 4.1.4) is checked here: recipient, end, audience, and whose request it
answers. It is optional (requirements/saml.in): import this module only where settings.SAML.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from django.utils.translation import gettext as _
from lxml import etree
from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
EMAIL: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
TRANSIENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_CLAIMS: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"

LONGEST_UID: Final = 191
_LIBRARY_ERRORS: Final = (OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError)

# The names that Entra, AD FS, Keycloak, Okta, Google and the LDAP profile (X.500) give them.
SUBJECT_NAMES: Final = ("urn:oasis:names:tc:SAML:attribute:subject-id",)
EMAIL_NAMES: Final = (
    "urn:oid:0.9.2342.19200300.100.1.3",
    f"{_CLAIMS}/emailaddress",
    "urn:oid:1.2.840.113549.1.9.1",
    "email",
    "mail",
    "emailAddress",
)
FULL_NAMES: Final = (
    "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "displayName",
    "name",
)
GIVEN_NAMES: Final = ("urn:oid:2.5.4.42", f"{_CLAIMS}/givenname", "firstName", "givenName")
FAMILY_NAMES: Final = ("urn:oid:2.5.4.4", f"{_CLAIMS}/surname", "lastName", "sn", "surname")


class Refused(Exception):  # noqa: N818 - says what is the matter
    """An answer, or a description, that does not hold; the message is for whoever sets it up."""


@dataclass(frozen=True, slots=True)
class Ourselves:
    """What we are to the provider, all absolute addresses: `entity_id` is that of our metadata."""

    entity_id: str
    reply: str


@dataclass(frozen=True, slots=True)
class Provider:
    """What its metadata says. `certificates`: DER in base64."""

    entity_id: str
    sso_url: str
    certificates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Who it was, in the provider's words; `request_id`: the request that this answers."""

    uid: str
    email: str
    name: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Certificate:
    fingerprint: str
    until: datetime


# --- descriptions --------------------------------------------------------------------------------


def read_metadata(text: bytes) -> Provider:
    """The one identity provider that it describes. Raises Refused."""
    try:
        root = OneLogin_Saml2_XML.to_etree(text)
    except (etree.LxmlError, ValueError) as error:
        raise Refused(_("This is no SAML metadata: %(why)s") % {"why": str(error)[:200]}) from None
    spaces = {"md": METADATA, "ds": "http://www.w3.org/2000/09/xmldsig#"}
    roles = root.xpath("//md:EntityDescriptor/md:IDPSSODescriptor", namespaces=spaces)
    if len(roles) != 1:
        words = _("The metadata describes %(count)d identity providers instead of one.")
        raise Refused(words % {"count": len(roles)})
    places = roles[0].xpath(
        f"md:SingleSignOnService[@Binding='{REDIRECT}']/@Location", namespaces=spaces
    )
    if not places or urlsplit(places[0].strip()).scheme not in {"http", "https"}:
        raise Refused(_("The metadata names no address for sign-in by redirect (HTTP-Redirect)."))
    keys = roles[0].xpath(
        "md:KeyDescriptor[not(@use) or @use='signing']//ds:X509Certificate/text()",
        namespaces=spaces,
    )
    certificates = tuple(dict.fromkeys("".join(key.split()) for key in keys))
    if not certificates:
        raise Refused(_("The metadata holds no certificate that answers are signed with."))
    read_certificates(certificates)
    entity_id = (roles[0].getparent().get("entityID") or "").strip()
    if not entity_id:
        raise Refused(_("The metadata does not name the provider (entityID)."))
    return Provider(entity_id, places[0].strip(), certificates)


def read_certificates(certificates: Iterable[str]) -> list[Certificate]:
    """What people tell them by. Raises Refused."""
    found = []
    for text in certificates:
        try:
            read = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
        except ValueError as error:
            words = _("A certificate in the metadata cannot be read: %(why)s")
            raise Refused(words % {"why": str(error)[:200]}) from None
        found.append(Certificate(read.fingerprint(SHA256()).hex(":"), read.not_valid_after_utc))
    return found


def our_metadata(we: Ourselves) -> str:
    """What providers read of us: no keys, for we sign nothing."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<md:EntityDescriptor xmlns:md="{METADATA}" entityID={quoteattr(we.entity_id)}>'
        '<md:SPSSODescriptor AuthnRequestsSigned="false"'
        f' protocolSupportEnumeration="{PROTOCOL}">'
        f"<md:NameIDFormat>{UNSPECIFIED}</md:NameIDFormat>"
        f'<md:AssertionConsumerService Binding="{POST}" Location={quoteattr(we.reply)}'
        ' index="0" isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>\n'
    )


# --- the way there and back ----------------------------------------------------------------------


def ask(provider: Provider, we: Ourselves) -> tuple[str, str]:
    """Where to send the browser, and the id of the request that it carries."""
    request_id = f"_{uuid4().hex}"
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    request = (
        f'<samlp:AuthnRequest xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" Version="2.0"'
        f' ID="{request_id}" IssueInstant="{now}" Destination={quoteattr(provider.sso_url)}'
        f' ProtocolBinding="{POST}" AssertionConsumerServiceURL={quoteattr(we.reply)}>'
        f"<saml:Issuer>{escape(we.entity_id)}</saml:Issuer>"
        f'<samlp:NameIDPolicy Format="{UNSPECIFIED}" AllowCreate="true"/></samlp:AuthnRequest>'
    )
    # Raw deflate (bindings 3.4.4.1): zlib's without its two bytes ahead and its checksum.
    packed = base64.b64encode(zlib.compress(request.encode())[2:-4]).decode()
    joint = "&" if urlsplit(provider.sso_url).query else "?"
    return f"{provider.sso_url}{joint}{urlencode({'SAMLRequest': packed})}", request_id


def check(text: str, provider: Provider, we: Ourselves) -> Answer:
    """Whom the provider vouches for, of the base64 that a browser brought. Raises Refused."""
    reply = urlsplit(we.reply)
    received = {
        "https": "on" if reply.scheme == "https" else "off",
        "http_host": reply.netloc,
        "script_name": "",
        "path_info": reply.path,
    }
    try:
        response = _Response(_settings(provider, we), text)
        if not response.is_valid(received):
            raise Refused(str(response.get_error())[:200])
        return response.answer(we)
    except (*_LIBRARY_ERRORS, etree.LxmlError, ValueError) as error:
        raise Refused(str(error)[:200]) from None


class _Response(OneLogin_Saml2_Response):  # type: ignore[misc]
    """Reads what is below a signature only, as the library's own queries do."""

    def answer(self, we: Ourselves) -> Answer:
        if not self.get_audiences():
            raise ValueError("The assertion does not say for whom it is (Audience).")
        said = self.get_attributes()
        name_id, kind = self.get_nameid() or "", self.get_nameid_format() or UNSPECIFIED
        email = _first(said, EMAIL_NAMES)
        if not email and kind in {EMAIL, UNSPECIFIED} and "@" in name_id:
            email = name_id
        # What is new at each sign-in is no name for a person.
        lasting = name_id if kind != TRANSIENT else ""
        uid = _first(said, SUBJECT_NAMES) or lasting or email.lower()
        if not uid:
            raise ValueError("The assertion does not say who it is (NameID).")
        parts = (_first(said, GIVEN_NAMES), _first(said, FAMILY_NAMES))
        name = _first(said, FULL_NAMES) or " ".join(part for part in parts if part)
        if len(uid) > LONGEST_UID:
            uid = sha256(uid.encode()).hexdigest()
        return Answer(uid, email, name, self._request_id(we))

    def _request_id(self, we: Ourselves) -> str:
        """Of the bearer's confirmation, which has an end, is for us, and answers a request."""
        for node in self._query_assertion("/saml:Subject/saml:SubjectConfirmation"):
            data = node.find(f"{{{ASSERTION}}}SubjectConfirmationData")
            if node.get("Method") != BEARER or data is None:
                continue
            asked = data.get("InResponseTo")
            is_ours = data.get("Recipient") == we.reply and self.get_in_response_to() == asked
            if asked and is_ours and _is_to_come(data.get("NotOnOrAfter")):
                return str(asked)
        raise ValueError("The assertion was not made for this sign-in (SubjectConfirmationData).")


def _is_to_come(text: str | None) -> bool:
    """The library lets a confirmation without an end pass; the standard does not."""
    if not text:
        return False
    return bool(OneLogin_Saml2_Utils.parse_SAML_to_time(text) > OneLogin_Saml2_Utils.now())


def _first(said: dict[str, list[Any]], names: Iterable[str]) -> str:
    for name in names:
        for value in said.get(name, []):
            if isinstance(value, str) and value:
                return value
    return ""


def _settings(provider: Provider, we: Ourselves) -> Any:
    return OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {
                "entityId": we.entity_id,
                "assertionConsumerService": {"url": we.reply, "binding": POST},
            },
            "idp": {
                "entityId": provider.entity_id,
                "singleSignOnService": {"url": provider.sso_url, "binding": REDIRECT},
                "x509certMulti": {"signing": list(provider.certificates)},
            },
            "security": {
                # The answer or the assertion in it must be signed: the library sees to that.
                "rejectDeprecatedAlgorithm": True,
                "wantNameId": False,
                "wantAttributeStatement": False,
                "allowRepeatAttributeName": True,
                "allowSingleLabelDomains": True,
            },
        }
    )
