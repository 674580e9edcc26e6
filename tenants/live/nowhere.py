"""The answer to a WebSocket address that does not exist."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer


class Nowhere(AsyncWebsocketConsumer):
    """Refuse the handshake (403), quietly; without it the router logs a traceback per scanner."""

    async def connect(self) -> None:
        await self.close()
