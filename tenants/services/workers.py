"""Media workers: their tokens, what they report of themselves, and who is lost."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from typing import Final

import structlog
from django.core.cache import cache
from django.db.models import Case, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from media_worker import contract
from tenants.models import Worker
from tenants.services import audit
from tenants.services.text import plain

log = structlog.get_logger(__name__)

KEY_WORD: Final = "pbxw"
RANDOM_BYTES: Final = 32
ADDRESS_LIMIT: Final = 32
COMMAND_LIMIT: Final = 64


def create_worker(*, name: str) -> tuple[Worker, str]:
    """Make a worker; gives its token too. Raises ValidationError."""
    worker = Worker(name=name)
    worker.full_clean()
    return worker, give_token(worker)


def give_token(worker: Worker) -> str:
    """Save the worker with a new token, which is not kept and cannot be shown again.

    An old token is refused from now on.
    """
    token = f"{KEY_WORD}_{worker.public_id.hex}_{secrets.token_urlsafe(RANDOM_BYTES)}"
    worker.token_digest, worker.token_hint = _digest(token), token[-4:]
    worker.save()
    return token


def authenticate(token: str) -> Worker | None:
    """The active worker whose token this is."""
    prefix, _, rest = token.partition("_")
    key_id, _, _secret = rest.partition("_")
    try:
        public_id = uuid.UUID(hex=key_id)
    except ValueError:
        return None
    worker = Worker.objects.filter(public_id=public_id, is_active=True).first()
    expected = worker.token_digest if worker else ""
    good = hmac.compare_digest(expected, _digest(token))
    return worker if good and prefix == KEY_WORD else None


def note_refused(*, source: str, path: str) -> None:
    """Record that somebody came with a wrong token: each time in the log, and once a minute and
    source in the audit log, so that a flood does not fill the database.
    """
    log.warning("worker_refused", source=source, path=path)
    if cache.add(f"worker-refused:{source}", 1, timeout=60):
        audit.record("worker.refused", source, tenant=None, user=None, path=path)


def bearer_token(authorization: str) -> str:
    """The token of an Authorization header (RFC 6750 section 2.1); empty when it holds none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(token: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(token.encode()).hexdigest()


def link_opened(worker: Worker, hello: contract.Hello, link: str) -> None:
    """A worker introduces itself; this link counts from now on."""
    Worker.objects.filter(pk=worker.pk).update(
        host=plain(hello.host, 255),
        version=plain(hello.version, 64),
        sip_build=plain(hello.sip_build, 64),
        capacity=_count(hello.capacity),
        browser_capacity=_count(hello.browser_calls),
        commands=[plain(tag, 64) for tag in hello.commands[:COMMAND_LIMIT]],
        # A link that is made anew is not a worker that is started anew.
        started_at=Case(
            When(boot_id=plain(hello.boot_id, 64), then=Coalesce("started_at", Now())),
            default=Now(),
        ),
        addresses=[plain(address, 255) for address in hello.addresses[:ADDRESS_LIMIT]],
        boot_id=plain(hello.boot_id, 64),
        link=link,
        connected=True,
        draining=False,
        last_seen_at=timezone.now(),
    )


def link_closed(worker: Worker, link: str) -> bool:
    """A link is gone; False when a newer one had replaced it. Calls go on without it."""
    gone = Worker.objects.filter(pk=worker.pk, link=link).update(
        link="", connected=False, active_calls=0, active_browser_calls=0
    )
    return bool(gone)


def heartbeat(worker: Worker, frame: contract.Heartbeat) -> bool:
    """Keep what a worker says of itself; False when it was switched off meanwhile."""
    alive = Worker.objects.filter(pk=worker.pk, is_active=True).update(
        active_calls=_count(frame.active_calls),
        draining=frame.draining,
        outbox_depth=_count(frame.outbox_depth),
        active_browser_calls=_count(frame.active_browser_calls),
        cpu_percent=frame.cpu_percent if 0 <= frame.cpu_percent < 1e6 else 0.0,
        memory_bytes=max(0, min(frame.memory_bytes, 2**63 - 1)),
        late_frames=max(0, min(frame.late_frames, 2**63 - 1)),
        last_seen_at=timezone.now(),
        connected=True,
    )
    return bool(alive)


def _count(number: int) -> int:
    """A number from outside, within the column's range."""
    return max(0, min(number, 2**31 - 1))
