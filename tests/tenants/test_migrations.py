"""Rows of an installation that is in use survive the migrations, with what they were missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
MIGRATE = """
import json, uuid
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

def migrate(name):
    call_command("migrate", "tenants", name, verbosity=0)

def models_at(name):
    return MigrationExecutor(connection).loader.project_state([("tenants", name)]).apps

migrate("0005_prompt_speed")
old = models_at("0005_prompt_speed")
def make(model, **fields):
    return old.get_model("tenants", model).objects.create(**fields)
tenant = make("Tenant", slug="acme", name="Acme")
users = [make("User", email=f"u{n}@acme.example", password="!") for n in range(3)]
for user in users:
    make("Member", tenant=tenant, user=user, role="owner")
    make("AuditEntry", tenant=tenant, user=user, action="call.hang_up", target="x", detail={})
agents = {name: make("Agent", tenant=tenant, name=name) for name in ("used", "new")}
for number in (1, 2):
    make("AgentRevision", tenant=tenant, agent=agents["used"], number=number, name="used",
         hang_up_enabled=True, transfer_targets=[])
call = make("Call", public_id=uuid.uuid4(), tenant=tenant, agent=agents["used"], called="1",
            state="ended", started_at="2026-01-01T00:00Z", ended_at="2026-01-01T00:01Z")

migrate("0010_public_ids")
from tenants.models import Agent, AuditEntry, Call, Member, Price, ProviderModel, User
said = {
    "ids": [
        str(public_id)
        for model in (User, Member, AuditEntry)
        for public_id in model._base_manager.values_list("public_id", flat=True)
    ],
    "published": dict(Agent.all_tenants.values_list("name", "published_revision__number")),
    "call": list(Call.all_tenants.values_list("kind", "cost", "settled_at")[0]),
    "prices": Price.objects.count(),
    "models": {
        f"{model.provider}/{model.name}": str(model.shutdown_on)
        for model in ProviderModel.objects.all()
    },
    "unnoted": ProviderModel.objects.filter(note="").count()
    + Price.objects.filter(source="").count(),
}
migrate("0005_prompt_speed")
said["back"] = sorted(
    name for name in connection.introspection.table_names() if name.startswith("tenants_search")
)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def database() -> dict[str, str]:
    """Variables of an empty database: in the cluster of these tests, if they run on PostgreSQL."""
    url = os.environ.get("DATABASE_URL")
    if url is None:
        return {name: value for name, value in os.environ.items() if not name.startswith("PBXAI_")}
    name = f"migrated_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as cluster:
        cluster.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return {**os.environ, "DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()}


@pytest.fixture(scope="module")
def migrated(database: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", MIGRATE],
        cwd=ROOT,
        env={
            **database,
            "PBXAI_DATA": str(tmp_path_factory.mktemp("data")),
            "DJANGO_SETTINGS_MODULE": "pbxai.settings",
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_row_gets_an_id_of_its_own(migrated: dict[str, Any]):
    assert len(migrated["ids"]) == len(set(migrated["ids"])) == 9
    assert "None" not in migrated["ids"]


def test_an_agents_newest_revision_is_the_published_one(migrated: dict[str, Any]):
    assert migrated["published"] == {"used": 2, "new": None}


def test_a_call_of_before_is_a_telephone_call_that_is_not_settled(migrated: dict[str, Any]):
    assert migrated["call"] == ["phone", None, None]


def test_the_catalogue_is_what_was_read_and_says_where(migrated: dict[str, Any]):
    models = migrated["models"]
    assert models["openai/gpt-realtime"] == "2027-01-20"
    assert models["openai/whisper-1"] == "2027-02-26"
    assert models["openai/gpt-realtime-2.1"] == "None"
    assert "sandbox/gpt-realtime-2.1" in models
    # Four conversation models and two of transcription, and the sandbox's three examples.
    assert migrated["prices"] == 9
    assert migrated["unnoted"] == 0


def test_the_way_back_leaves_nothing_of_the_index(migrated: dict[str, Any]):
    assert migrated["back"] == []
