"""A SAML identity provider: metadata over HTTP, requests read as they come, answers signed."""

from __future__ import annotations

import base64
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape as quoted
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree

SAML = "urn:oasis:names:tc:SAML:2.0"
SPACES = {"p": f"{SAML}:protocol", "a": f"{SAML}:assertion", "md": f"{SAML}:metadata"}
EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
PERSISTENT = f"{SAML}:nameid-format:persistent"


@cache
def _pair(which: str) -> tuple[bytes, bytes, str]:
    """Private key and certificate (PEM), and the certificate as metadata has it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, which)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    der = signed.public_bytes(serialization.Encoding.DER)
    return private, signed.public_bytes(serialization.Encoding.PEM), base64.b64encode(der).decode()


class SamlProvider(ThreadingHTTPServer):
    """Signs in whom a test names. `signs`: which pair of keys it has now; `who`: whom a browser
    that comes to it gets an answer for; `host`: what browsers call it.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.signs = "idp"
        self.who = ""
        self.host = "127.0.0.1"

    @property
    def web(self) -> str:
        return f"http://{self.host}:{self.server_port}"

    @property
    def entity_id(self) -> str:
        return f"{self.web}/metadata"

    def metadata(self, binding: str = "HTTP-Redirect") -> str:
        address = f"{self.web}/sso?app=1&amp;lang=en"
        return (
            f'<md:EntityDescriptor xmlns:md="{SPACES["md"]}" entityID="{self.entity_id}">'
            f'<md:IDPSSODescriptor protocolSupportEnumeration="{SPACES["p"]}">'
            '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
            f"<ds:X509Data><ds:X509Certificate>{_pair(self.signs)[2]}</ds:X509Certificate>"
            "</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            f'<md:SingleSignOnService Binding="{SAML}:bindings:{binding}" Location="{address}"/>'
            "</md:IDPSSODescriptor></md:EntityDescriptor>"
        )

    def read(self, url: str) -> dict[str, str]:
        """What our request asks for."""
        query = parse_qs(urlsplit(url).query)
        assert (query["app"], query["lang"]) == (["1"], ["en"])
        packed = base64.b64decode(query["SAMLRequest"][0])
        request = etree.fromstring(zlib.decompress(packed, -15))
        assert request.tag == f"{{{SPACES['p']}}}AuthnRequest"
        assert request.get("ProtocolBinding") == f"{SAML}:bindings:HTTP-POST"
        return {
            "id": request.get("ID"),
            "reply": request.get("AssertionConsumerServiceURL"),
            "audience": request.findtext("a:Issuer", namespaces=SPACES),
        }

    def answer(
        self,
        request: dict[str, str],
        email: str = "",
        *,
        sign: str = "Assertion",
        pair: str = "",
        age: float = 0.0,
        digest: str = "Sha256",
        **said: str,
    ) -> str:
        """The base64 of a response. `said` changes its parts: audience, recipient, confirmed,
        issuer, name_id, format, end, and the attributes mail, given, family.
        """
        now = datetime.now(UTC) - timedelta(seconds=age)
        part = {
            "audience": request["audience"],
            "recipient": request["reply"],
            "confirmed": request["id"],
            "issuer": self.entity_id,
            "name_id": email or "somebody",
            "format": EMAIL_FORMAT,
            "end": _time(now + timedelta(seconds=60)),
        } | {name: text for name, text in said.items() if name not in _ATTRIBUTES}
        attributes = {_ATTRIBUTES[name]: text for name, text in said.items() if name in _ATTRIBUTES}
        document = etree.fromstring(_document(request, part, attributes, now))
        if sign:
            _sign(document.xpath(f"//*[local-name()='{sign}']")[0], pair or self.signs, digest)
        return base64.b64encode(etree.tostring(document)).decode()


_ATTRIBUTES = {
    "mail": "urn:oid:0.9.2342.19200300.100.1.3",
    "given": "urn:oid:2.5.4.42",
    "family": "urn:oid:2.5.4.4",
}


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(
    request: dict[str, str], part: dict[str, str], attributes: dict[str, str], now: datetime
) -> str:
    part = {name: escape(text, {'"': "&quot;"}) for name, text in part.items()}
    statement = "".join(
        f'<saml:Attribute Name="{name}"><saml:AttributeValue>{escape(text)}</saml:AttributeValue>'
        "</saml:Attribute>"
        for name, text in attributes.items()
    )
    statement = statement and f"<saml:AttributeStatement>{statement}</saml:AttributeStatement>"
    confirmed = part["confirmed"] and f' InResponseTo="{part["confirmed"]}"'
    ends = part["end"] and f' NotOnOrAfter="{part["end"]}"'
    recipient = part["recipient"] and f' Recipient="{part["recipient"]}"'
    audience = part["audience"] and (
        "<saml:AudienceRestriction>"
        f"<saml:Audience>{part['audience']}</saml:Audience></saml:AudienceRestriction>"
    )
    return (
        f'<samlp:Response xmlns:samlp="{SPACES["p"]}" xmlns:saml="{SPACES["a"]}" Version="2.0"'
        f' ID="_{uuid4().hex}" IssueInstant="{_time(now)}" InResponseTo="{request["id"]}"'
        f' Destination="{escape(request["reply"])}"><saml:Issuer>{part["issuer"]}</saml:Issuer>'
        f'<samlp:Status><samlp:StatusCode Value="{SAML}:status:Success"/></samlp:Status>'
        f'<saml:Assertion Version="2.0" ID="_{uuid4().hex}" IssueInstant="{_time(now)}">'
        f"<saml:Issuer>{part['issuer']}</saml:Issuer><saml:Subject>"
        f'<saml:NameID Format="{part["format"]}">{part["name_id"]}</saml:NameID>'
        f'<saml:SubjectConfirmation Method="{SAML}:cm:bearer">'
        f"<saml:SubjectConfirmationData{ends}{recipient}{confirmed}/>"
        "</saml:SubjectConfirmation></saml:Subject>"
        f'<saml:Conditions NotBefore="{_time(now - timedelta(seconds=60))}"'
        f' NotOnOrAfter="{_time(now + timedelta(seconds=60))}">{audience}</saml:Conditions>'
        f'<saml:AuthnStatement AuthnInstant="{_time(now)}"><saml:AuthnContext>'
        f"<saml:AuthnContextClassRef>{SAML}:ac:classes:Password</saml:AuthnContextClassRef>"
        f"</saml:AuthnContext></saml:AuthnStatement>{statement}</saml:Assertion></samlp:Response>"
    )


def _sign(node: Any, pair: str, digest: str) -> None:
    """An enveloped signature behind the issuer, as the standard has it (core 5.4)."""
    rsa_digest = getattr(xmlsec.constants, f"TransformRsa{digest}")
    private, certificate, _text = _pair(pair)
    signature = xmlsec.template.create(
        node, xmlsec.constants.TransformExclC14N, rsa_digest, ns="ds"
    )
    node.insert(1, signature)
    reference = xmlsec.template.add_reference(
        signature, getattr(xmlsec.constants, f"Transform{digest}"), uri=f"#{node.get('ID')}"
    )
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    xmlsec.tree.add_ids(node, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(private, xmlsec.constants.KeyDataFormatPem)
    context.key.load_cert_from_memory(certificate, xmlsec.constants.KeyDataFormatPem)
    context.sign(signature)


class _Handler(BaseHTTPRequestHandler):
    server: SamlProvider

    def do_GET(self) -> None:
        is_browser = self.path.startswith("/sso?")
        body = (self._page() if is_browser else self.server.metadata()).encode()
        self.send_response(200)
        self.send_header(
            "Content-Type", "text/html" if is_browser else "application/samlmetadata+xml"
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _page(self) -> str:
        request = self.server.read(self.path)
        answer = self.server.answer(request, self.server.who)
        return (
            f'<!doctype html><form method="post" action="{quoted(request["reply"])}">'
            f'<input type="hidden" name="SAMLResponse" value="{answer}">'
            "<button>It is me</button></form>"
        )

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def running() -> Iterator[SamlProvider]:
    server = SamlProvider()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=30)
