"""A worker brings a recording: whose it is, whether it is whole, once, and where it is kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import transaction
from django.test import Client
from moto.server import ThreadedMotoServer

from media_worker import contract
from tenants.models import Agent, AuditEntry, Call, Number, Recording, Tenant, User, Worker
from tenants.models.choices import CallState
from tenants.services import recordings, workers
from tests.support import sound
from tests.tenants.calls import Outbox, admitted, invite
from tests.tenants.test_worker_api import assert_problem

OGG = sound.ogg()
OTHER = sound.ogg(1.0, hz=700)


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def call(number: Number, published: Agent, alice: User, worker: Worker) -> Call:
    """An answered call whose settings say that it is recorded."""
    from tenants.services.publishing import publish

    published.record = True
    published.save()
    publish(agent=published, user=alice)
    return admitted(worker)


@pytest.fixture
def put(client: Client, worker_and_token: tuple[Worker, str]) -> Callable[..., Any]:
    def send(call: Call | uuid.UUID, body: bytes = OGG, token: str = "", **query: Any) -> Any:
        call_id = call if isinstance(call, uuid.UUID) else call.public_id
        asked = {"duration_ms": 2000, "offset_ms": -40, "sha256": sound.sha256(body)} | query
        return client.put(
            contract.RECORDING_PATH.format(call_id=call_id),
            body,
            content_type="audio/ogg",
            query_params={name: value for name, value in asked.items() if value is not None},
            headers={"Authorization": f"Bearer {token or worker_and_token[1]}"},
        )

    return send


def stored() -> bytes:
    with default_storage.open(Recording.all_tenants.get().file.name) as file:
        return bytes(file.read())


def test_it_is_kept_below_its_tenant(call: Call, put: Callable[..., Any]):
    assert put(call).status_code == 201
    kept = Recording.all_tenants.get()
    assert (kept.call, kept.tenant) == (call, call.tenant)
    assert (kept.size, kept.duration_ms, kept.offset_ms) == (len(OGG), 2000, -40)
    assert kept.file.name == f"recordings/{call.tenant.public_id}/{call.public_id}.ogg"
    assert stored() == OGG


def test_the_same_again_is_stored_once(call: Call, put: Callable[..., Any]):
    assert put(call).status_code == 201
    assert put(call).status_code == 200
    assert Recording.all_tenants.count() == 1
    assert len(default_storage.listdir(f"recordings/{call.tenant.public_id}")[1]) == 1


def test_another_content_is_a_conflict_and_changes_nothing(call: Call, put: Callable[..., Any]):
    put(call)
    assert_problem(put(call, OTHER), 409)
    assert stored() == OGG


def test_two_at_the_same_moment_keep_one_file(call: Call, put: Callable[..., Any], monkeypatch):
    """The second request has looked before the first has stored."""
    looked = recordings._is_there
    monkeypatch.setattr(recordings, "_is_there", lambda *_: False)
    assert put(call).status_code == 201
    answers = iter([False])
    monkeypatch.setattr(recordings, "_is_there", lambda *args: next(answers, None) or looked(*args))
    assert put(call).status_code == 200
    assert len(default_storage.listdir(f"recordings/{call.tenant.public_id}")[1]) == 1


@pytest.mark.parametrize(
    ("body", "query", "status"),
    [
        (OGG, {"sha256": "0" * 64}, 400),
        (OGG[:-1], {"sha256": sound.sha256(OGG)}, 400),
        (b"", {}, 400),
        (b"RIFF" + OGG[4:], {}, 400),
        (b"OggS" + b"\0" * 500, {}, 400),
        (OGG, {"duration_ms": "long"}, 400),
        (OGG, {"duration_ms": None}, 400),
        (OGG, {"sha256": None}, 400),
        (OGG, {"duration_ms": 0}, 400),
        (OGG, {"duration_ms": 10**12}, 400),
        (OGG, {"offset_ms": -(10**12)}, 400),
    ],
)
def test_what_is_not_right_is_refused_and_nothing_kept(
    call: Call, put: Callable[..., Any], body: bytes, query: dict[str, Any], status: int
):
    assert_problem(put(call, body, **query), status)
    assert not Recording.all_tenants.exists()
    assert not default_storage.exists("recordings")


def test_mono_is_refused(call: Call, put: Callable[..., Any]):
    at = OGG.index(b"OpusHead") + 9
    assert_problem(put(call, OGG[:at] + b"\x01" + OGG[at + 1 :]), 400)


def test_too_large_is_413_whether_it_was_announced_or_not(
    call: Call, put: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(contract, "MAX_RECORDING_BYTES", len(OGG) - 1)
    assert_problem(put(call), 413)

    class Endless:
        def read(self, size: int, /) -> bytes:
            return b"x" * size

    with pytest.raises(recordings.TooLarge):
        recordings.store(
            worker=call.worker,
            call_id=call.public_id,
            body=Endless(),
            sha256="0" * 64,
            duration_ms=1,
            offset_ms=0,
        )
    assert not Recording.all_tenants.exists()


def test_only_the_calls_own_worker_may(call: Call, put: Callable[..., Any]):
    _other, token = workers.create_worker(name="other")
    assert_problem(put(call, token=token), 404)
    assert_problem(put(call, token="pbxw_nobody_x"), 401)
    assert_problem(put(uuid.uuid4()), 404)


def test_a_call_that_was_not_to_be_recorded_takes_none(
    number: Number, worker: Worker, put: Callable[..., Any]
):
    assert_problem(put(admitted(worker)), 404)


def test_a_call_taken_while_we_were_away_goes_by_its_revision(
    call: Call, worker: Worker, published: Agent, put: Callable[..., Any]
):
    """Its settings were never written down; those of its revision are what the worker had."""
    request = invite()
    taken = contract.CallTaken(
        request=request,
        tenant_id=str(call.tenant.public_id),
        number_id=str(call.number.public_id),
        agent_id=str(published.public_id),
        revision=call.revision.number,
    )
    Outbox(worker).send(taken)
    assert put(uuid.UUID(request.call_key)).status_code == 201


def test_a_storage_that_fails_is_503_and_the_worker_comes_again(
    call: Call, put: Callable[..., Any], settings: Any, tmp_path
):
    (tmp_path / "file").write_text("in the way")
    good = settings.STORAGES
    bad = good["default"] | {"OPTIONS": {"location": tmp_path / "file"}}
    settings.STORAGES = good | {"default": bad}
    answer = put(call)
    assert_problem(answer, 503)
    assert answer.headers["Retry-After"]
    settings.STORAGES = good
    assert put(call).status_code == 201


def test_a_problem_is_kept_beside_what_there_is(
    call: Call, worker: Worker, put: Callable[..., Any]
):
    event = contract.RecordingFailed(problem=contract.RecordingProblem.DISK_FULL)
    Outbox(worker).send(event, call)
    assert Recording.all_tenants.get().problem == "disk_full"
    assert put(call).status_code == 201
    kept = Recording.all_tenants.get()
    assert (kept.problem, kept.size) == ("disk_full", len(OGG))


def test_a_problem_does_not_bring_an_interrupted_call_back(call: Call, worker: Worker):
    outbox = Outbox(worker)
    outbox.send(contract.CallAnswered(codec="PCMU/8000"), call)
    outbox.send(contract.WorkerStarted(boot_id="2"))
    outbox.send(contract.RecordingFailed(problem=contract.RecordingProblem.NO_SOUND), call)
    call.refresh_from_db()
    assert call.state == CallState.ENDED
    assert Recording.all_tenants.get().problem == "no_sound"


def test_deleted_is_gone_for_good_and_stays_so(
    acme: Tenant,
    call: Call,
    bob: User,
    put: Callable[..., Any],
    django_capture_on_commit_callbacks,
):
    from django_scopes import scope

    put(call)
    name = Recording.all_tenants.get().file.name
    with scope(tenant=acme), django_capture_on_commit_callbacks(execute=True):
        assert recordings.delete(call=call, user=bob)
    assert not default_storage.exists(name)
    assert Recording.all_tenants.get().deleted_at
    entry = AuditEntry.all_tenants.get(action="recording.delete")
    assert (entry.user, entry.detail) == (bob, {"call": str(call.public_id)})
    # The worker had not heard that it was stored.
    assert put(call).status_code == 200
    assert not default_storage.exists(name)


def test_the_file_goes_with_its_call(
    call: Call, put: Callable[..., Any], django_capture_on_commit_callbacks
):
    put(call)
    name = Recording.all_tenants.get().file.name
    with django_capture_on_commit_callbacks(execute=True):
        call.delete()
    assert not default_storage.exists(name)


def test_a_deletion_that_is_rolled_back_keeps_the_file(
    call: Call, put: Callable[..., Any], django_capture_on_commit_callbacks
):
    put(call)
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        call.delete()
        transaction.set_rollback(True)
    assert stored() == OGG


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3's own protocol."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The storage that the settings make of PBXAI_S3_*."""
    from pbxai import storage

    name = f"bucket-{uuid.uuid4().hex[:8]}"
    said = {"BUCKET": name, "ENDPOINT": s3, "REGION": "eu-central-1"}
    for variable, value in (said | {"ACCESS_KEY": "key", "SECRET_KEY": "secret"}).items():
        monkeypatch.setenv(f"PBXAI_S3_{variable}", value)
    made = boto3.resource(
        "s3",
        endpoint_url=s3,
        region_name="eu-central-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    ).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    settings.STORAGES = settings.STORAGES | {"default": storage.file_storage(settings.DATA_DIR)}
    return made


def test_s3_keeps_reads_in_parts_and_deletes(
    bucket: Any,
    acme: Tenant,
    call: Call,
    bob: User,
    put: Callable[..., Any],
    django_capture_on_commit_callbacks,
):
    from django_scopes import scope

    assert put(call).status_code == 201
    (there,) = bucket.objects.all()
    assert there.key == f"recordings/{acme.public_id}/{call.public_id}.ogg"
    assert there.get()["Body"].read() == OGG
    kept = Recording.all_tenants.get()
    assert b"".join(recordings.read(kept, 100, 1000)) == OGG[100:1100]
    assert put(call).status_code == 200
    with scope(tenant=acme), django_capture_on_commit_callbacks(execute=True):
        recordings.delete(call=call, user=bob)
    assert list(bucket.objects.all()) == []


def test_s3_that_cannot_be_reached_is_503(bucket: Any, call: Call, put: Callable[..., Any]):
    bucket.delete()
    assert_problem(put(call), 503)
    assert not Recording.all_tenants.exists()


def test_nobody_waits_for_the_database_while_a_file_is_stored(
    call: Call, put: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    """S3 may take its time; on SQLite an open transaction would keep everybody else out."""
    levels: list[int] = []
    save = FileSystemStorage.save

    def look(self: Any, *args: Any, **kwargs: Any) -> Any:
        levels.append(len(transaction.get_connection().savepoint_ids))
        return save(self, *args, **kwargs)

    monkeypatch.setattr(FileSystemStorage, "save", look)
    assert put(call).status_code == 201
    assert levels == [0]  # the test's own transaction is there, and no other
