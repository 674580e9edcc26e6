"""A small OpenID provider that really speaks: discovery, authorization, token, userinfo."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID = "pbxai"
CLIENT_SECRET = "a-client-secret-0001"


class OpenIdProvider(ThreadingHTTPServer):
    """Signs in whoever `claims` says, for every request of our client."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.hosts: list[str] = []

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def authorize(self, url: str) -> str:
        """What a browser does at the provider: sign in; gives where it is sent back to."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        code = secrets.token_urlsafe(8)
        self.codes[code] = dict(self.claims)
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"


class _Handler(BaseHTTPRequestHandler):
    server: OpenIdProvider

    def do_GET(self) -> None:
        self.server.hosts.append(self.headers["Host"])
        issuer = self.server.issuer
        if self.path == "/.well-known/openid-configuration":
            self._answer(
                {
                    "issuer": issuer,
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/token",
                    "userinfo_endpoint": f"{issuer}/userinfo",
                    "jwks_uri": f"{issuer}/jwks",
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                }
            )
        elif self.path == "/userinfo":
            token = self.headers["Authorization"].removeprefix("Bearer ")
            self._answer(self.server.tokens[token])
        else:
            self._answer({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = body.get("client_secret") == [CLIENT_SECRET]
        claims = self.server.codes.pop(body.get("code", [""])[0], None)
        if self.path != "/token" or not known or claims is None:
            self._answer({"error": "invalid_grant"}, 400)
            return
        token = secrets.token_urlsafe(8)
        self.server.tokens[token] = claims
        self._answer({"access_token": token, "token_type": "Bearer", "expires_in": 60})

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def running() -> Iterator[OpenIdProvider]:
    server = OpenIdProvider()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=30)
