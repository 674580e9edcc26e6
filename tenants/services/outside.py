"""Addresses that tenants type and we open: resolved once, public, and connected to as resolved.

Else a tenant could have us look at services that only our own network reaches. The operator may
allow networks of theirs (PBXAI_ALLOW_NETWORKS).
"""

from __future__ import annotations

import socket
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from media_worker.contract import may_lead_to

TIMEOUT_SECONDS: Final = 10
LONGEST_BODY: Final = 1024 * 1024


class NotAllowed(requests.exceptions.ConnectionError):
    """The address is not there, or not one that a tenant may have us open."""


def resolve(host: str, port: int) -> str:
    """The one address to connect to. Raises NotAllowed: unknown, or any of its addresses is of a
    network that is not public.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotAllowed(f"{host} is not known: {error}") from None
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not may_lead_to(address, settings.ALLOWED_NETWORKS):
            raise NotAllowed(f"{host} is {address}, which is not a public address.")
    return addresses[0]


def pinned(url: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """For httpx: the URL with the address in the name's place, and the headers and extensions that
    still ask for the name, in HTTP and in TLS. Raises NotAllowed.
    """
    parts = urlsplit(url)
    name = parts.hostname or ""
    address = resolve(name, parts.port or (443 if parts.scheme == "https" else 80))
    place = f"[{address}]" if ":" in address else address
    netloc = f"{place}:{parts.port}" if parts.port else place
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=netloc)), {"Host": host}, {"sni_hostname": name}


class _Pinned(HTTPAdapter):
    """Connects to the address that `resolve` gave; TLS still asks for the name."""

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        found: tuple[Any, Any] = super().build_connection_pool_key_attributes(request, verify, cert)
        host_params, pool = dict(found[0]), dict(found[1])
        name = str(host_params["host"])
        port = host_params["port"] or (443 if host_params["scheme"] == "https" else 80)
        host_params["host"] = resolve(name, port)
        if host_params["scheme"] == "https":
            pool["server_hostname"] = pool["assert_hostname"] = name
        return host_params, pool

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        request.headers["Host"] = urlsplit(request.url).netloc.rpartition("@")[2]
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUT_SECONDS
        return super().send(request, *args, **kwargs)


def session() -> requests.Session:
    """A session of `requests` that opens nothing else; no proxy of the environment either."""
    made = requests.Session()
    made.trust_env = False
    made.max_redirects = 3
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Pinned())
    return made
