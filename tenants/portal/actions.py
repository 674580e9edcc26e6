"""What one person may ask of a running call: made for its page, its drawer and its forms."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from media_worker import contract
from tenants.access import may
from tenants.live.paths import socket_path
from tenants.models import Call, Worker
from tenants.models.choices import CallKind, ListenIn
from tenants.portal.access import TenantRequest
from tenants.services import commands


@dataclass(frozen=True, kw_only=True)
class Target:
    """Whom the agent itself may connect a caller to."""

    name: str
    uri: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Actions:
    """What templates/components/call_actions.html offers of one call to one person."""

    call_id: str
    can_say: bool
    can_mute: bool
    can_transfer: bool
    targets: list[Target]
    listen: str
    """Address of the sound; empty: this person may not listen."""
    listen_words: str
    say_limit: int = commands.SAY_LIMIT

    @property
    def are_any(self) -> bool:
        return self.can_say or self.can_mute or self.can_transfer or bool(self.listen)


def actions(request: TenantRequest, call: Call) -> Actions | None:
    """None: the call is over, or has no voice, or this person may only watch."""
    if not call.is_open or call.kind == CallKind.CHAT or not may(request.member, "edit"):
        return None
    found = Actions(
        call_id=str(call.public_id),
        can_say=_knows(call.worker, contract.SayText),
        can_mute=_knows(call.worker, contract.MuteAgent),
        can_transfer=call.kind == CallKind.PHONE and _knows(call.worker, contract.TransferCall),
        targets=[
            Target(name=one["name"], uri=one["uri"], description=one.get("description", ""))
            for one in (call.settings_used.get("tools") or {}).get("targets", [])
        ],
        listen=_listen_address(request, call),
        listen_words=_("Everybody who watches the call sees that you listen."),
    )
    return found if found.are_any else None


def _knows(worker: Worker | None, frame: type[contract.Frame]) -> bool:
    return worker is not None and commands.knows(worker, frame)


def _listen_address(request: TenantRequest, call: Call) -> str:
    if (
        request.tenant.listen_in == ListenIn.NOBODY
        or not may(request.member, "manage")
        or not _knows(call.worker, contract.StartListening)
    ):
        return ""
    return socket_path("t", request.tenant.slug, "calls", call.public_id, "listen")
