"""The real processes: daphne with the worker link, Celery with beat over the embedded broker."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from media_worker import contract
from tests.support.installation import WAIT_SECONDS, Installation, bearer, until


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("installation"))


@pytest.fixture(scope="module")
def web(installation: Installation) -> Iterator[Installation]:
    with installation.serving():
        yield installation


def test_a_worker_links_up_asks_and_reports(web: Installation):
    with connect(
        f"ws://{web.web}{contract.LINK_PATH}", additional_headers=bearer(web.token)
    ) as link:
        stream = str(uuid.uuid4())
        greeting = contract.Hello(
            stream=stream, boot_id="b", host="h", version="1", sip_build="2.15.1", capacity=4
        )
        link.send(contract.encode(greeting).decode())
        assert contract.decode_down(link.recv(WAIT_SECONDS)) == contract.Welcome(
            worker="local", acknowledged=0
        )
        request = contract.AdmissionRequest(
            call_key=str(uuid.uuid4()), called="100", calling="1", sip_call_id="x"
        )
        answer = httpx.post(
            f"http://{web.web}{contract.ADMISSION_PATH}",
            content=contract.encode(request),
            headers=bearer(web.token),
            timeout=WAIT_SECONDS,
        )
        plan = contract.decode_admission(answer.content)
        assert isinstance(plan, contract.CallPlan)
        assert plan.provider.api_key == "sandbox-demo"
        record = contract.Record(
            seq=1, at=time.time(), call_id=plan.call_id, event=contract.CallAnswered()
        )
        events = contract.Events(stream=stream, records=(record,))
        link.send(contract.encode(events).decode())
        assert contract.decode_down(link.recv(WAIT_SECONDS)) == contract.Ack(stream=stream, seq=1)
    assert web.row("SELECT state FROM tenants_call") == ("running",)
    assert "sandbox-demo" not in web.log()
    assert web.token not in web.log()


def test_a_wrong_token_is_refused_before_the_link_opens(web: Installation):
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://{web.web}{contract.LINK_PATH}", additional_headers=bearer("wrong"))
    assert caught.value.response.status_code == 403


def test_a_browser_of_another_site_gets_no_socket(web: Installation):
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://{web.web}/ws/t/demo/calls", origin="https://evil.example")  # type: ignore[arg-type]
    assert caught.value.response.status_code == 403


def test_pages_carry_the_strict_policy_and_unknown_hosts_get_none(web: Installation):
    page = httpx.get(f"http://{web.web}/accounts/login/", timeout=WAIT_SECONDS)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    strange = httpx.get(
        f"http://{web.web}/healthz", headers={"Host": "evil.example"}, timeout=WAIT_SECONDS
    )
    assert strange.status_code == 400


def test_static_files_are_served(web: Installation):
    style = httpx.get(f"http://{web.web}/static/admin/css/base.css", timeout=WAIT_SECONDS)
    assert style.status_code == 200
    assert style.headers["Content-Type"].startswith("text/css")


def test_jobs_close_the_calls_of_a_lost_worker(installation: Installation):
    lost = installation.manage(
        "shell",
        "--no-imports",
        "-c",
        "from django.utils import timezone\n"
        "from tenants.models import Call, Tenant\n"
        "call = Call.all_tenants.create(tenant=Tenant.objects.get(), called='100',"
        " state='running', started_at=timezone.now())\n"
        "print(call.pk)",
    ).strip()
    query = f"SELECT end_cause FROM tenants_call WHERE id = {int(lost)} AND state = 'ended'"  # noqa: S608
    jobs = ("celery", "-A", "pbxai", "worker", "--beat", "--pool", "threads")
    with installation.running(*jobs):
        assert until(lambda: installation.row(query), installation.log) == ("interrupted",)
