"""One world for the whole matrix: everybody who may come, and what Acme owns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.models import (
    AuditEntry,
    Call,
    CallNote,
    JobFailure,
    Number,
    Prompt,
    ProviderAccount,
    ProviderModel,
    SupportGrant,
    Tenant,
    User,
    Worker,
)
from tenants.models.choices import PromptState
from tests.conftest import make_user
from tests.portal import conftest as portal

browse = portal.browse
call = portal.call
keep_recording = portal.keep_recording
make_call = portal.make_call
running = portal.running
settings_things = portal.settings_things

SUPPORT_VIEWER, SUPPORT_ADMIN = "support that may look", "support that may change"
STRANGER, STAFF, NOBODY = "another tenant's owner", "the operator's, without a grant", "nobody"
SIGN_IN = 401
"""Of a page: the browser is sent to sign in."""
MOST_QUERIES = 20
"""Of a page; that lists take no more however long they are, tests of theirs say."""


@pytest.fixture
def sam(db: None) -> User:
    """One of the operator's people who is no superuser."""
    return make_user("sam@operator.example", is_staff=True)


@pytest.fixture
def people(alice: User, bob: User, erin: User, victor: User, charlie: User, sam: User) -> Any:
    """Everybody, by what they are; NOBODY is not signed in."""
    return {
        "viewer": victor,
        "editor": erin,
        "admin": bob,
        "owner": alice,
        STRANGER: charlie,
        STAFF: sam,
        NOBODY: None,
    }


@pytest.fixture
def grant(acme: Tenant, alice: User) -> Callable[[str], None]:
    """Let the operator's people in, with that role, and only so."""

    def give(role: str) -> None:
        SupportGrant.all_tenants.all().delete()
        end = timezone.now() + timedelta(hours=1)
        SupportGrant.all_tenants.create(tenant=acme, granted_by=alice, role=role, expires_at=end)

    return give


@pytest.fixture
def things(
    call: Call,
    number: Number,
    account: ProviderAccount,
    worker: Worker,
    keep_recording: Callable[..., Any],
    make_account: Callable[..., ProviderAccount],
    settings_things: dict[str, Any],
) -> dict[str, Any]:
    """Ids of what there is, by the name of the address's argument."""
    keep_recording(call)
    prompt = Prompt(tenant=call.tenant, account=account, text="Hello.", digest="0" * 64)
    prompt.state = PromptState.READY
    prompt.file.save("", ContentFile(b"RIFF"))
    SupportGrant.all_tenants.update(revoked_at=timezone.now())
    assert call.tenant
    assert call.agent
    note = CallNote.all_tenants.create(tenant=call.tenant, call=call, text="Call back.")
    model = ProviderModel.objects.create(provider="other", name="m-1", kind="realtime")
    failure = JobFailure.objects.create(task="tenants.tasks.watch.watch_workers", task_id="1")
    return {
        "slug": "acme",
        "tenant_id": call.tenant.public_id,
        "call_id": call.public_id,
        "agent_id": call.agent.public_id,
        "number": 1,
        "number_id": number.public_id,
        "account_id": account.public_id,
        "platform_account_id": make_account(None, "Everybody's").public_id,
        "prompt_id": prompt.public_id,
        "note_id": note.public_id,
        "worker_id": worker.public_id,
        "failure_id": failure.pk,
        "model_id": model.pk,
        "check_id": call.public_id,
        "digest": "0" * 64,
        "token": "pbxi_none",
        "uidb36": "a",
        "key": "b-c",
        **settings_things,
    }


@pytest.fixture
def browser(browse: Callable[[User], Client]) -> Callable[[User | None], Client]:
    """The browser of somebody, or of nobody; each is made once."""
    made: dict[int | None, Client] = {}

    def find(user: User | None) -> Client:
        key = user.pk if user else None
        if key not in made:
            made[key] = browse(user) if user else Client()
        return made[key]

    return find


def status_of(client: Client, method: str, address: str, **more: Any) -> int:
    """What comes of a request that leaves nothing behind, no changed session either; SIGN_IN: the
    browser is sent to sign in. What is refused has changed nothing: the audit says so.
    """
    cookies = client.cookies.copy()
    with undone():
        changes = AuditEntry.all_tenants.count()
        with CaptureQueriesContext(connection) as queries:
            answer = client.generic(method, address, **more)
        status = int(answer.status_code)
        if status == 302 and answer["Location"].startswith("/accounts/login/"):
            status = SIGN_IN
        assert status < 400 or AuditEntry.all_tenants.count() == changes, (method, address)
        if method == "GET":
            asked = [one["sql"] for one in queries if "SAVEPOINT" not in one["sql"]]
            assert len(asked) <= MOST_QUERIES, (address, asked)
    client.cookies = cookies
    return status


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is done to the database in here is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
