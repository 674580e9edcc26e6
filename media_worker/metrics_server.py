"""`/metrics` over HTTP on a port of its own (Prometheus text format).

One thread answers one scrape after the other, so that nobody who connects can make more of them;
it shares the interpreter with the calls for the few milliseconds that a scrape takes.
"""

from __future__ import annotations

import logging
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

logger = logging.getLogger(__name__)

PATH: Final = "/metrics"
PATIENCE_SECONDS: Final = 5.0
"""For a client that connects and says nothing; the next one waits for it."""
STOP_POLL_SECONDS: Final = 0.5


class MetricsError(Exception):
    """The port cannot be used; says why in plain words."""


class MetricsServer:
    """Serves from when it is made until `close`. Port 0 lets the system choose."""

    def __init__(self, registry: CollectorRegistry, address: str, port: int) -> None:
        """Raises MetricsError."""
        try:
            self._server = _Server((address, port), _Handler)
        except OSError as error:
            raise MetricsError(
                f"Cannot serve metrics on TCP port {port} of {address}: {error.strerror or error}."
                " Choose another port with PBXAI_METRICS_PORT; 0 switches it off."
            ) from None
        self._server.set_app(_only_metrics(make_wsgi_app(registry)))
        self.url = f"http://{address}:{self._server.server_address[1]}{PATH}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_POLL_SECONDS,), name="metrics"
        )
        self._thread.daemon = True
        self._thread.start()

    def close(self) -> None:
        """Let go of the port. Waits for the scrape that is being answered."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(WSGIServer):
    request_queue_size = 16

    def server_bind(self) -> None:
        # not HTTPServer's: it asks the DNS for the address's name
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Of clients that go away; nothing that the worker suffers from."""
        logger.debug("a scrape failed: %r", sys.exc_info()[1])


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE_SECONDS

    def log_message(self, *_: Any) -> None:
        """A scrape every few seconds is no news."""


def _only_metrics(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The library's own answers with metrics whatever the path."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == PATH:
            return app(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"Not found; metrics are at /metrics.\n"]

    return serve
