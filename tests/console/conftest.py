"""What the console's tests share: the operator's people and what there is to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tenants.models import Call, JobFailure, Number, ProviderAccount, User, Worker
from tenants.services import members
from tests.conftest import PASSWORD
from tests.portal.conftest import browse, call, make_call
from tests.tenants.money import make_model

__all__ = ["browse", "call", "make_call"]


@pytest.fixture
def sam(db: None) -> User:
    """One of the operator's people who is no superuser."""
    user = User.objects.create_user(email="sam@operator.example", password=PASSWORD)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.refresh_from_db()
    return user


@pytest.fixture
def operator(browse: Callable[[User], Client], sam: User) -> Client:
    return browse(sam)


@pytest.fixture
def things(
    number: Number,
    account: ProviderAccount,
    worker: Worker,
    call: Call,
    make_account: Callable[..., ProviderAccount],
) -> dict[str, Any]:
    """What the addresses of the table take, by the name of the URL's argument."""
    failure = JobFailure.objects.create(
        task="tenants.tasks.watch.watch_workers", args={"args": [], "kwargs": {}}, error="x"
    )
    return {
        "worker_id": worker.public_id,
        "tenant_id": number.tenant.public_id,
        "call_id": call.public_id,
        "failure_id": failure.pk,
        "platform_account_id": make_account(None, "Everybody's").public_id,
        "invitation_id": members.invite(
            tenant=number.tenant, user=None, email="olivia@acme.example", role="owner"
        )[0].public_id,
        "model_id": make_model("gpt-realtime-2.1").pk,
    }
