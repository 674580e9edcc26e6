"""Addresses of the browsers' sockets, as a page names them."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import get_script_prefix


def socket_path(*parts: object, **query: str) -> str:
    """`/ws/...` below the prefix that the installation is served under; empty values are left out.

    socket_path("t", "acme", "calls", lang="de") is "/ws/t/acme/calls?lang=de".
    """
    path = get_script_prefix() + "ws/" + "/".join(str(part) for part in parts)
    asked = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{asked}" if asked else path
