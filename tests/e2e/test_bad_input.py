"""What is wrong gets a clear outcome and a record, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from media_worker import contract
from tenants.models import Call, ProviderAccount, Worker
from tenants.services.workers import create_worker, give_token
from tests.e2e.stack import ROOT, RunningStack
from tests.e2e.world import World, eventually
from tests.support.ports import free_port, free_sip_port
from tests.support.raw_phone import RawPhone


def server_of(stack: RunningStack) -> tuple[str, int]:
    return ("127.0.0.1", stack.sip_port)


async def test_an_unknown_number_is_404_and_on_record(world: World, stack: RunningStack) -> None:
    async with RawPhone(server_of(stack)) as phone:
        answer = await phone.call("0000404")
        assert answer.status == 404
    record = await eventually(lambda: Call.all_tenants.filter(called="0000404").first())
    assert (record.tenant, record.state) == (None, "refused")
    assert record.refusal_reason == "unknown_number"
    assert record.sip_call_id == phone.call_id


async def test_a_disabled_tenant_is_403_and_on_its_record(world: World) -> None:
    house = world.house()
    house.tenant.is_active = False
    house.tenant.save()
    async with RawPhone(server_of(house.stack)) as phone:
        assert (await phone.call(house.number.number)).status == 403
    record = await house.ended_call()
    assert (record.state, record.refusal_reason) == ("refused", "tenant_disabled")


async def test_a_tenants_limit_is_486(world: World) -> None:
    house = world.house()
    house.tenant.max_concurrent_calls = 1
    house.tenant.save()
    async with RawPhone(server_of(house.stack)) as first:
        assert (await first.call(house.number.number)).status == 200
        async with RawPhone(server_of(house.stack)) as second:
            assert (await second.call(house.number.number)).status == 486
        await first.hang_up()
    reasons = {call.refusal_reason for call in Call.all_tenants.filter(tenant=house.tenant)}
    assert reasons == {"", "tenant_limit"}


@pytest.mark.parametrize(
    ("misbehave", "key", "dialect", "kind"),
    [
        ("", "wrong-key", "openai", "key_refused"),
        ("quota", "sandbox-test", "openai", "quota"),
        ("beta_disabled", "sandbox-test", "openai-beta", "dialect_refused"),
        ("reject_update", "sandbox-test", "openai", "settings_refused"),
    ],
)
async def test_a_provider_that_refuses_is_told_to_caller_tenant_and_record(
    world: World, misbehave: str, key: str, dialect: str, kind: str
) -> None:
    house = world.house(misbehave=misbehave, key=key, dialect=dialect)
    async with RawPhone(server_of(house.stack)) as phone:
        assert (await phone.call(house.number.number)).status == 200
        await phone.speech(packets=25)
        await phone.request("BYE")
    record = await house.ended_call()
    assert record.end_cause == "provider_failed"
    assert record.end_detail
    assert kind in [problem.kind for problem in world.problems(record)]
    account = ProviderAccount.all_tenants.get(pk=house.account.pk)
    assert account.last_problem_kind == kind
    assert key not in account.last_problem_message
    for log in ("worker", "web", "sandbox"):
        assert key not in house.stack.log(log)


async def test_a_provider_that_is_down_is_an_apology_and_a_record(world: World) -> None:
    house = world.house(url=f"ws://127.0.0.1:{free_port()}/v1/realtime")
    async with RawPhone(server_of(house.stack)) as phone:
        assert (await phone.call(house.number.number)).status == 200
        await phone.speech(packets=25)
        await phone.request("BYE")
    record = await house.ended_call()
    assert record.end_cause == "provider_failed"
    assert "unreachable" in [problem.kind for problem in world.problems(record)]


async def test_malformed_link_frames_are_rejected_and_the_link_lives(
    world: World, stack: RunningStack
) -> None:
    worker, token = create_worker(name=f"test-{free_port()}")
    address = stack.web.replace("http://", "ws://") + contract.LINK_PATH
    headers = {"Authorization": f"Bearer {token}"}
    stream = str(uuid.uuid4())
    hello = contract.Hello(
        stream=stream, boot_id="b1", host="here", version="1", sip_build="none", capacity=0
    )
    async with connect(address, additional_headers=headers, open_timeout=60) as link:
        await link.send(contract.encode(hello).decode())
        assert isinstance(contract.decode_down(await link.recv()), contract.Welcome)
        for frame in ("not json", "[]", '{"frame":"nonsense"}', '{"frame":"events","stream":7}'):
            await link.send(frame)
            assert isinstance(contract.decode_down(await link.recv()), contract.Rejected)
        started = contract.Record(seq=1, at=1.0, event=contract.WorkerStarted(boot_id="b1"))
        await link.send(
            contract.encode(contract.Events(stream=stream, records=(started,))).decode()
        )
        assert contract.decode_down(await link.recv()) == contract.Ack(stream=stream, seq=1)
    assert Worker.objects.get(pk=worker.pk).rejected_frames == 4


async def test_a_wrong_worker_token_is_refused_at_both_doors(stack: RunningStack) -> None:
    body = {"call_key": "k", "called": "1", "calling": "2", "sip_call_id": "3"}
    headers = {"Authorization": "Bearer pbxw_wrong"}
    answer = httpx.post(stack.web + contract.ADMISSION_PATH, json=body, headers=headers, timeout=60)
    assert answer.status_code == 401
    assert answer.json()["status"] == 401
    address = stack.web.replace("http://", "ws://") + contract.LINK_PATH
    with pytest.raises(InvalidStatus):
        async with connect(address, additional_headers=headers, open_timeout=60):
            pass
    assert "worker_refused" in stack.log("web")


@contextmanager
def another_worker(stack: RunningStack, folder: Path, token: str, port: int) -> Iterator[None]:
    """A second media worker of the running product, on ports of its own."""
    environment = {
        **stack.environment,
        "PBXAI_DATA": str(folder),
        "PBXAI_WEB_URL": stack.web,
        "PBXAI_WORKER_TOKEN": token,
        "PBXAI_SIP_PORT": str(port),
        "PBXAI_RTP_PORT": str(30000 + os.getpid() % 1000),
        "PBXAI_METRICS_PORT": "0",
        "PBXAI_DRAIN_SECONDS": "1",
    }
    with (folder / "worker.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "media_worker"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)


async def test_calls_at_a_worker_with_a_wrong_token_are_refused_and_recorded_later(
    world: World, stack: RunningStack, tmp_path: Path
) -> None:
    house = world.house()
    worker, _ = create_worker(name=f"second-{free_port()}")
    port = free_sip_port()
    with another_worker(stack, tmp_path, "pbxw_wrong", port):
        async with RawPhone(("127.0.0.1", port)) as phone:  # it dials until somebody listens
            answer = await phone.call(house.number.number)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert not Call.all_tenants.filter(sip_call_id=phone.call_id).exists()
    with another_worker(stack, tmp_path, give_token(worker=worker), port):
        record = await eventually(
            lambda: Call.all_tenants.filter(sip_call_id=phone.call_id).first(),
            why="the record of the refused call",
        )
    assert (record.state, record.refusal_reason) == ("refused", "worker_token_refused")
    assert record.tenant == house.tenant
