"""Addresses that tenants type and we open: resolved once, public, and connected to as resolved.

Else a tenant could have us look at services that only our own network reaches. The operator may
allow networks of theirs (PBXAI_ALLOW_NETWORKS).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

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
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not _may_be_opened(address):
            raise NotAllowed(f"{host} is {address}, which is not a public address.")
    return str(addresses[0])


def _may_be_opened(address: IPv4Address | IPv6Address) -> bool:
    plain = getattr(address, "ipv4_mapped", None) or address
    if any(plain in network for network in settings.ALLOWED_NETWORKS):
        return True
    return plain.is_global and not plain.is_multicast


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
