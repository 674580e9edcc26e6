"""Media workers: their tokens, what they report of themselves, and who is lost."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from typing import Final

from tenants.models import Worker

KEY_WORD: Final = "pbxw"
RANDOM_BYTES: Final = 32


def create_worker(*, name: str) -> tuple[Worker, str]:
    """Make a worker; gives its token, which is not kept and cannot be shown again."""
    worker = Worker(name=name)
    token = _new_token(worker)
    worker.full_clean()
    worker.save()
    return worker, token


def renew_token(*, worker: Worker) -> str:
    """Give the worker a new token; the old one is refused from now on."""
    token = _new_token(worker)
    worker.save(update_fields=["token_digest", "token_hint"])
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


def bearer_token(authorization: str) -> str:
    """The token of an Authorization header (RFC 6750 section 2.1); empty when it holds none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _new_token(worker: Worker) -> str:
    token = f"{KEY_WORD}_{worker.public_id.hex}_{secrets.token_urlsafe(RANDOM_BYTES)}"
    worker.token_digest, worker.token_hint = _digest(token), token[-4:]
    return token


def _digest(token: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(token.encode()).hexdigest()
