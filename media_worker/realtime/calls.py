"""Function calls, put together from the events that may tell of them; each is given out once.

REALTIME.md section 1.7. Pure: no I/O.
"""

from __future__ import annotations

import msgspec

from media_worker.realtime.session import ToolRequested
from media_worker.realtime.wire import ArgumentsDone, Item


class FunctionCalls:
    def __init__(self) -> None:
        self._named: dict[str, Item] = {}
        """Calls that have begun, by item: the beta shape names the function only here."""
        self._whole: dict[str, tuple[str, ToolRequested]] = {}
        """By call id: calls whose arguments have come, with their response; not yet confirmed."""
        self._given: set[str] = set()

    def began(self, item: Item) -> None:
        if item.id:
            self._named[item.id] = item

    def arguments_done(self, event: ArgumentsDone) -> None:
        """Whole or interrupted: only the item's status, or the response's, will tell."""
        named = self._named.get(event.item_id, Item())
        call_id = event.call_id or named.call_id or event.item_id
        name = event.name or named.name
        if name and _is_object(event.arguments):
            request = ToolRequested(call_id, event.item_id, name, event.arguments)
            self._whole[call_id] = (event.response_id, request)

    def item_done(self, item: Item) -> ToolRequested | None:
        """A finished item: the call, where it is complete and new."""
        call_id = item.call_id or item.id
        if not call_id or call_id in self._given:
            return None
        _, request = self._whole.pop(call_id, (None, None))
        if item.status not in (None, "completed"):
            return None
        named = self._named.get(item.id or "", Item())
        name = item.name or named.name or (request.name if request else None)
        arguments = item.arguments or (request.arguments if request else "{}")
        if not name:
            return None
        self._given.add(call_id)
        return ToolRequested(call_id, item.id or call_id, name, arguments)

    def response_done(self, response_id: str, *, completed: bool) -> list[ToolRequested]:
        """Calls of a response whose items were never closed: good where the response is."""
        ready = []
        for call_id, (of_response, request) in list(self._whole.items()):
            if of_response in (response_id, ""):
                del self._whole[call_id]
                if completed and call_id not in self._given:
                    self._given.add(call_id)
                    ready.append(request)
        return ready


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(arguments), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
