"""The operator's pages of what happens: workers, calls, jobs, health."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse

from pbxai.asgi import application
from pbxai.health import PROBES
from tenants.models import AuditEntry, Call, JobFailure, User, Worker
from tenants.services import jobs, live, support
from tenants.tasks import keep_failure, watch_workers
from tests.portal.conftest import say

pytestmark = pytest.mark.django_db
WAIT = 30.0


def shown(browser: Client, name: str, **arguments: Any) -> str:
    answer = browser.get(reverse(f"console:{name}", kwargs=arguments))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.fixture
def busy(worker: Worker) -> Worker:
    Worker.objects.update(
        connected=True,
        host="media-1.example",
        version="0.9.1",
        capacity=512,
        active_calls=37,
        cpu_percent=41.7,
        late_frames=12,
        commands=["worker.drain"],
    )
    worker.refresh_from_db()
    return worker


def test_a_worker_says_what_it_is_and_does(busy: Worker, operator: Client) -> None:
    for page in (shown(operator, "workers"), shown(operator, "worker", worker_id=busy.public_id)):
        for word in ("media-1.example", "0.9.1", "37 of 512", "42 %", "12", "Connected"):
            assert word in page, word


def test_a_worker_is_drained_and_resumed(busy: Worker, sam: User, operator: Client) -> None:
    url = reverse("console:worker_drain", kwargs={"worker_id": busy.public_id})
    page = operator.post(url, {"draining": "1"}, follow=True).content.decode()
    assert "takes no new call" in page
    assert "Draining" in page
    assert Worker.objects.get().drain_wanted
    assert AuditEntry.all_tenants.get(action="worker.drain").user == sam
    assert (
        "takes calls again" in operator.post(url, {"draining": "0"}, follow=True).content.decode()
    )
    assert not Worker.objects.get().drain_wanted


def test_calls_are_shown_without_who_called_and_what_was_said(
    call: Call, make_call: Callable[..., Call], operator: Client
) -> None:
    say(call, "item_9", 90, "caller", "My secret diagnosis")
    running = make_call(state="running", calling_name="Somebody Else")
    pages = [shown(operator, "calls")]
    pages += [shown(operator, "call", call_id=one.public_id) for one in (call, running)]
    for page in pages:
        for secret in ("Maria Huber", "+4930123456", "diagnosis", "Somebody Else"):
            assert secret not in page
        assert "Acme Dental" in page
    for place in (f"tenants/{call.tenant.public_id}", f"workers/{call.worker.public_id}"):
        assert f'<a href="/console/{place}/">' in pages[1]


def test_a_tenant_that_lets_support_in_opens_its_calls(
    call: Call, alice: User, operator: Client
) -> None:
    there = reverse("portal:call", args=[call.tenant.slug, call.public_id])
    assert there not in shown(operator, "call", call_id=call.public_id)
    assert operator.get(there).status_code == 404
    support.grant(tenant=call.tenant, user=alice, hours=1, reason="")
    assert f'href="{there}"' in shown(operator, "call", call_id=call.public_id)
    assert operator.get(there).status_code == 200
    inside = reverse("portal:start", args=[call.tenant.slug])
    assert f'href="{inside}"' in shown(operator, "tenant", tenant_id=call.tenant.public_id)


def test_calls_are_narrowed_and_paged(
    make_call: Callable[..., Call], operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.console.calls.PAGE_SIZE", 2)
    made = [make_call(sip_call_id=f"id-{number}") for number in range(3)]
    failed = make_call(end_cause="provider_failed", sip_call_id="id-failed")

    def listed(query: str) -> list[str]:
        page = operator.get(reverse("console:calls") + query).content.decode()
        return [one for one in (*made, failed) if str(one.public_id) in page]

    assert listed("") == [made[2], failed]
    assert listed(f"?at={made[2].pk}") == made[:2]
    assert listed("?outcome=failed") == [failed]
    assert listed("?q=id-1") == [made[1]]
    assert listed(f"?q={made[0].public_id}") == [made[0]]
    for odd in ("?at=x", "?at=9999999999999999999999", "?tenant=x", "?outcome=x"):
        assert listed(odd) == [made[2], failed]


def test_a_job_that_fails_is_kept_once_and_may_be_run_again(
    operator: Client, sam: User, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    for _time in range(2):
        keep_failure(
            sender=watch_workers, task_id="1", exception=ValueError("broken"), args=(7,), kwargs={}
        )
    failure = JobFailure.objects.get()
    assert (failure.args, failure.error) == ({"args": [7], "kwargs": {}}, "ValueError: broken")
    assert "ValueError: broken" in shown(operator, "jobs")

    sent: list[Any] = []
    monkeypatch.setattr(watch_workers, "apply_async", lambda **told: sent.append(told))
    url = reverse("console:job_retry", kwargs={"failure_id": failure.pk})
    with django_capture_on_commit_callbacks(execute=True):
        operator.post(url)
        operator.post(url)
    assert sent == [{"args": [7], "kwargs": {}}]
    assert AuditEntry.all_tenants.get(action="job.retry").user == sam


def test_jobs_that_are_not_heard_of_are_told(
    operator: Client, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    silent = "The jobs process has not been heard of"
    assert silent in shown(operator, "jobs")
    assert silent in shown(operator, "health")
    jobs.note_alive()
    assert silent not in shown(operator, "jobs")


def test_health_names_what_does_not_work(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Database" in shown(operator, "health")

    def broken() -> None:
        raise ConnectionRefusedError

    monkeypatch.setitem(PROBES, "cache", broken)
    page = shown(operator, "health")
    assert "ConnectionRefusedError" in page
    assert "Something does not do its work." in page


@pytest.mark.django_db(transaction=True)
async def test_the_list_of_workers_is_live_for_the_operators_people_only(
    busy: Worker, sam: User, alice: User, browse: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def open_feed(user: User, query: str = "") -> tuple[WebsocketCommunicator, Any]:
        browser = await sync_to_async(browse)(user)
        name = django_settings.SESSION_COOKIE_NAME
        cookie = f"{name}={browser.cookies[name].value}".encode()
        headers = [(b"origin", b"http://localhost"), (b"host", b"localhost"), (b"cookie", cookie)]
        path = f"/ws/console/workers{query}"
        feed = WebsocketCommunicator(application, path, headers=headers)
        return feed, await feed.connect(timeout=WAIT)

    _feed, answer = await open_feed(alice)
    assert answer == (False, 4404)
    monkeypatch.setattr("tenants.live.console.BEAT_SECONDS", 3600.0)
    feed, (connected, _code) = await open_feed(sam)
    assert connected
    assert "37 of 512" in await feed.receive_from(timeout=WAIT)
    await Worker.objects.aupdate(active_calls=38)
    monkeypatch.setattr("tenants.live.console.BEAT_SECONDS", 0.05)
    await live.apublish([live.worker_changed(busy)])
    assert "38 of 512" in await feed.receive_from(timeout=WAIT), "it is told"
    await Worker.objects.aupdate(active_calls=39)
    while "39 of 512" not in await feed.receive_from(timeout=WAIT):
        pass  # and looks by itself
    await feed.disconnect(timeout=WAIT)

    feed, _answer = await open_feed(sam, "?lang=de")
    assert "39 von 512" in await feed.receive_from(timeout=WAIT), "in the page's language"
    await feed.disconnect(timeout=WAIT)
