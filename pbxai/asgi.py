"""What daphne serves: pages and the worker API over HTTP, live feeds and the worker link by
WebSocket.
"""

from __future__ import annotations

import gc
import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbxai.settings")
django.setup()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import get_resolver, path, re_path  # noqa: E402

from media_worker.contract import LINK_PATH  # noqa: E402
from pbxai.checks import refuse_unsafe  # noqa: E402
from pbxai.prefix import below  # noqa: E402
from tenants.live.link import WorkerLink  # noqa: E402
from tenants.live.nowhere import Nowhere  # noqa: E402
from tenants.live.routing import websocket_urlpatterns  # noqa: E402
from tenants.live.stream import StreamDoor  # noqa: E402

refuse_unsafe()

# Browsers send a session cookie and an Origin; both are checked. A worker sends neither: it shows
# its token, and the link checks that.
_nowhere: Any = Nowhere.as_asgi()
_browsers: Any = AllowedHostsOriginValidator(
    AuthMiddlewareStack(URLRouter([*websocket_urlpatterns, re_path(r"", _nowhere)]))
)
_link: Any = WorkerLink.as_asgi()
_stream: Any = StreamDoor()
_sockets: list[Any] = [
    path(LINK_PATH.lstrip("/"), _link),
    path("ws/v1/stream", _stream),
    re_path(r"", _browsers),
]

_doors: Any = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": URLRouter(_sockets)})
application = below(settings.PREFIX, _doors)

# All views come in now, and stay: later collections, of 200 ms each, need not look at them.
get_resolver().url_patterns  # noqa: B018
gc.collect()
gc.freeze()
# A page makes some 10,000 objects: not one collection of the young for each 700 of them.
gc.set_threshold(20_000)
