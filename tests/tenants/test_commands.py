"""The commands of the web core, and the two questions of a supervisor."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from pbxai import health
from tenants.models import Agent, AgentRevision, Member, Number, ProviderAccount, User, Worker
from tenants.services import workers
from tenants.services.effective import effective_settings
from tenants.services.publishing import save_draft


@pytest.fixture
def keys(tmp_path: Path, settings: Any) -> Path:
    settings.KEYS_DIR = tmp_path / "keys"
    return settings.KEYS_DIR


def said(*command: str) -> str:
    output = io.StringIO()
    call_command(*command, stdout=output)
    return output.getvalue()


# --- seed_demo -----------------------------------------------------------------------------------


def test_the_demo_can_be_used_at_once(keys: Path, db: None, settings: Any):
    call_command("seed_demo", verbosity=0)
    known = json.loads((keys / "demo.json").read_text())
    for who in ("operator", "owner"):
        user = User.objects.get(email=known[who]["email"])
        assert user.check_password(known[who]["password"])
    assert User.objects.get(email="operator@demo.example").is_superuser
    owner = Member.all_tenants.get(tenant__slug="demo")
    assert (owner.user.email, owner.role) == ("owner@demo.example", "owner")
    number = Number.all_tenants.get(number=known["number"])
    revision = number.agent.published
    assert revision is not None
    effective = effective_settings(tenant=number.tenant, source=revision)
    account = effective.provider_account
    assert account is not None
    assert account.url == f"ws://127.0.0.1:{settings.SANDBOX_PORT}/v1/realtime"
    assert account.secret.reveal() == "sandbox-demo"
    assert effective.greeting("de") is not None
    assert {target["name"] for target in revision.transfer_targets} == {"sales", "support"}
    token = (keys / "worker.token").read_text().strip()
    assert workers.authenticate(token) == Worker.objects.get(name="local")


def test_what_the_demo_writes_is_for_us_alone(keys: Path, db: None):
    call_command("seed_demo", verbosity=0)
    for name in ("demo.json", "worker.token"):
        assert (keys / name).stat().st_mode & 0o777 == 0o600


def counts() -> list[int]:
    managers = [User.objects, Worker.objects, *(m.all_tenants for m in (Agent, Number, Member))]
    return [
        *(manager.count() for manager in managers),
        ProviderAccount.all_tenants.count(),
        AgentRevision.all_tenants.count(),
    ]


def test_a_second_run_changes_nothing(keys: Path, db: None):
    call_command("seed_demo", verbosity=0)
    before, written = counts(), [(keys / n).read_text() for n in ("demo.json", "worker.token")]
    call_command("seed_demo", verbosity=0)
    assert counts() == before
    assert [(keys / n).read_text() for n in ("demo.json", "worker.token")] == written


def test_what_somebody_changed_stays(keys: Path, db: None):
    call_command("seed_demo", verbosity=0)
    Agent.all_tenants.filter(name="Reception").update(instructions="My own words.", name="Mine")
    user = User.objects.get(email="owner@demo.example")
    user.set_password("chosen by myself")
    user.save()
    call_command("seed_demo", verbosity=0)
    assert Agent.all_tenants.get(name="Mine").instructions == "My own words."
    assert not Agent.all_tenants.filter(name="Reception").exists()
    user.refresh_from_db()
    assert user.check_password("chosen by myself")


def test_the_sandbox_follows_its_port(keys: Path, db: None, settings: Any):
    call_command("seed_demo", verbosity=0)
    settings.SANDBOX_PORT = 9999
    call_command("seed_demo", verbosity=0)
    account = ProviderAccount.all_tenants.get()
    assert (account.url, account.secret.reveal()) == (
        "ws://127.0.0.1:9999/v1/realtime",
        "sandbox-demo",
    )


def test_the_transfer_targets_follow_the_telephones_port(keys: Path, db: None, settings: Any):
    call_command("seed_demo", verbosity=0)
    settings.SIP_PORT = 5999
    call_command("seed_demo", verbosity=0)
    published = Number.all_tenants.get(number="100").agent.published
    assert published is not None
    sales = next(each for each in published.transfer_targets if each["name"] == "sales")
    assert sales["uri"] == f"sip:200@{settings.SIP_ADDRESS}:5999"
    assert Number.all_tenants.get(number="200").agent.published is not None


def test_moving_the_telephone_publishes_no_draft_that_somebody_works_at(
    keys: Path, db: None, settings: Any
):
    call_command("seed_demo", verbosity=0)
    agent = Number.all_tenants.get(number="100").agent
    agent.instructions = "Not for callers yet."
    save_draft(agent=agent, user=None)
    settings.SIP_PORT = 5999
    call_command("seed_demo", verbosity=0)
    agent = Agent.all_tenants.get(pk=agent.pk)
    published = agent.published
    assert published is not None
    assert agent.instructions == "Not for callers yet."
    assert "Demo Clinic" in published.instructions
    assert agent.transfer_targets == published.transfer_targets
    assert published.transfer_targets[0]["uri"].endswith(":5999")


def test_lost_files_are_made_anew(keys: Path, db: None):
    call_command("seed_demo", verbosity=0)
    (keys / "demo.json").unlink()
    (keys / "worker.token").unlink()
    call_command("seed_demo", verbosity=0)
    known = json.loads((keys / "demo.json").read_text())
    user = User.objects.get(email=known["owner"]["email"])
    assert user.check_password(known["owner"]["password"])
    assert workers.authenticate((keys / "worker.token").read_text().strip()) is not None


# --- create_worker -------------------------------------------------------------------------------


def test_a_workers_token_is_printed_once(db: None):
    token = said("create_worker", "media-1").strip()
    worker = Worker.objects.get(name="media-1")
    assert workers.authenticate(token) == worker
    assert worker.token_hint == token[-4:]


def test_a_workers_token_is_written_to_a_file(db: None, tmp_path: Path):
    path = tmp_path / "token"
    output = said("create_worker", "media-1", "--token-file", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert workers.authenticate(path.read_text().strip()) is not None
    assert "pbxw_" not in output


def test_a_worker_has_one_name_and_may_get_a_new_token(db: None):
    old = said("create_worker", "media-1").strip()
    with pytest.raises(CommandError):
        said("create_worker", "media-1")
    with pytest.raises(CommandError):
        said("create_worker", "no name")
    new = said("create_worker", "media-1", "--renew").strip()
    assert workers.authenticate(old) is None
    assert workers.authenticate(new) is not None
    with pytest.raises(CommandError):
        said("create_worker", "nobody", "--renew")


# --- health --------------------------------------------------------------------------------------


def test_a_ready_process_says_so(client: Client, db: None):
    assert client.get("/healthz").content == b"ok\n"
    assert client.get("/readyz").json() == {"ready": True, "failed": []}


def test_what_cannot_be_reached_is_named(client: Client, db: None, monkeypatch: Any):
    def down() -> None:
        raise ConnectionError("secret address")

    monkeypatch.setitem(health.PROBES, "cache", down)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["failed"]) == (503, ["cache"])
    assert b"secret" not in response.content


def test_a_missing_migration_is_not_ready(client: Client, db: None):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'tenants'")
    assert client.get("/readyz").json()["failed"] == ["migrations"]
