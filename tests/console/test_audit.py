"""The operator's audit log: who did what in every tenant, and nothing of what is said there."""

from __future__ import annotations

import ast
import html
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tenants.models import Agent, Call, Tenant, User
from tenants.portal import audit_words
from tenants.services import audit, company, numbers, prices, publishing, tenants
from tenants.services.publishing import save_draft

pytestmark = pytest.mark.django_db


def shown(browser: Client, query: str = "") -> str:
    return html.unescape(browser.get(f"/console/audit/{query}").content.decode())


def test_of_a_tenants_own_words_and_callers_it_shows_nothing(
    agent: Agent, call: Call, alice: User, operator: Client
):
    agent.instructions, agent.voice = "Never mention the lawsuit.", "cedar"
    agent.greetings = {"en": "Welcome, dear patients!"}
    save_draft(agent=agent, user=alice)
    audit.record("call.say", call, tenant=call.tenant, user=alice, text="Your test is positive.")
    audit.record("call.tag", call, tenant=call.tenant, user=alice, tag="angry")
    page = shown(operator)
    for secret in ("lawsuit", "patients", "positive", "angry", call.calling, str(call)):
        assert secret not in page, secret
    for words in ("Prompt", "not shown", "cedar", "had the agent say something", alice.email):
        assert words in page, words
    assert f'<a href="/console/calls/{call.public_id}/">call</a>' in page


def test_it_is_narrowed_to_a_tenant(acme: Tenant, birch: Tenant, operator: Client):
    audit.record("number.edit", "of Acme", tenant=acme, user=None)
    audit.record("number.edit", "of Birch", tenant=birch, user=None)
    audit.record("platform.edit", "of the house", tenant=None, user=None)
    page = shown(operator, f"?whose={birch.public_id}")
    assert "of Birch" in page
    assert "of Acme" not in page
    assert "of the house" not in page
    assert "Nothing fits" in shown(operator, f"?whose={birch.public_id}&what=token")
    assert "of Acme" in shown(operator, "?whose=nonsense")


def recorded() -> Iterator[str]:
    """Every action that the code writes down in so many letters."""
    for folder in ("tenants", "pbxai"):
        for file in Path(settings.BASE_DIR, folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("record"):
                    for part in ast.walk(node.args[0]) if node.args else ():
                        if isinstance(part, ast.Constant) and "." in str(part.value):
                            yield str(part.value)


def test_every_action_and_field_has_words():
    found = {action for action in recorded() if not action.endswith(".")}
    assert len(found) > 50
    more = {"agent.publish", "agent.roll_back", "tenant.suspend", "tenant.resume", "call.mute"}
    more |= {"call.say", "call.transfer", "call.hang_up", "settings.edit", "tenant.edit"}
    more |= {"user.locked", "user.password", "user.way_added", "user.way_removed"}
    for action in sorted(found | more):
        assert audit_words.action(action) != action
        assert audit_words.noun(action.partition(".")[0]) != action.partition(".")[0]
    fields = {*publishing.CONTENT, *tenants.AUDITED, *numbers.AUDITED, *company.OWN}
    for name in sorted(fields | {*prices.AMOUNTS, "valid_from", "valid_to"}):
        assert "_" not in audit_words.field(name)


def test_a_setting_is_told_as_its_page_tells_it(
    agent: Agent, alice: User, acme: Tenant, operator: Client
):
    agent.vad_mode, agent.interrupt = "semantic_vad", False
    save_draft(agent=agent, user=alice)
    page = shown(operator)
    assert "<del>inherited</del>" in page
    assert "semantic_vad" not in page
