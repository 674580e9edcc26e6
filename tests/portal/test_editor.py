"""The editor's helpers: presets, variables and their preview, the fallback, what is locked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from media_worker import contract
from tenants.models import Agent, PlatformSettings, ProviderAccount, Tenant, User
from tenants.portal.agent_form import AgentForm
from tenants.portal.presets import PRESETS
from tenants.portal.prompt_preview import MEANINGS
from tenants.services.effective import effective_settings, platform_settings
from tests.portal.conftest import address
from tests.portal.test_agents import reread, save


def form_of(browser: Client, agent: Agent) -> AgentForm:
    form: AgentForm = browser.get(address("agent", agent_id=agent.public_id)).context["form"]
    return form


def lock(*names: str, **values: Any) -> None:
    platform_settings()
    PlatformSettings.objects.update(locked=list(names), **values)


# --- presets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_a_preset_can_be_saved_as_it_is_put_into_the_form(
    preset: Any, published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    [card] = [one for one in form_of(browser, published).presets if one.key == preset.key]
    assert save(browser, published, **json.loads(card.typed)).status_code == 302
    draft = reread(published)
    assert {name: getattr(draft, name) for name in preset.values} == preset.values
    settings = effective_settings(tenant=published.tenant, source=draft)
    assert not settings.conflicts()
    # Then it changes nothing any more, and says so.
    [card] = [one for one in form_of(browser, published).presets if one.key == preset.key]
    assert card.changes == []


def test_a_preset_says_what_it_changes_of_what_holds(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    quick = form_of(browser, published).presets[0]
    assert [(str(one.label), one.old, one.new) for one in quick.changes] == [
        ("Silence that ends the caller's turn", "500 ms", "300 ms")
    ]
    page = browser.get(address("agent", agent_id=published.public_id)).content.decode()
    assert "Use “Quick”" in page


def test_a_preset_leaves_out_what_is_locked(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    lock("silence_duration_ms")
    quick = form_of(browse(erin), published).presets[0]
    assert quick.changes == []
    assert "silence_duration_ms" not in json.loads(quick.typed)


# --- variables -----------------------------------------------------------------------------------


def preview(browser: Client, agent: Agent, text: str) -> str:
    url = address("agent_preview", agent_id=agent.public_id)
    return browser.post(url, {"instructions": text}).content.decode()


def test_a_prompt_is_shown_as_the_agent_gets_it(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    shown = preview(browse(erin), published, "You speak with {{ caller_name }} of {{tenant}}.")
    assert "<mark>Maria Huber</mark>" in shown
    assert "<mark>Acme Dental</mark>" in shown
    assert "no variable" not in shown
    assert "{{" not in shown


def test_a_name_that_nobody_fills_in_is_warned_of(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(erin)
    shown = preview(browser, published, "Hello {{ calller }} and {{ x }}")
    assert '<mark class="unknown">{{ calller }}</mark>' in shown
    assert "calller, x are no variables." in shown
    save(browser, published, instructions="Hello {{ calller }}")
    page = browser.get(address("agent_publish", agent_id=published.public_id)).content.decode()
    assert "calller is no variable." in page


def test_an_empty_prompt_is_previewed_as_inherited(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    assert "You answer the telephone." in preview(browse(erin), published, " ")


def test_what_is_typed_is_text_and_no_markup(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    shown = preview(browse(erin), published, "<b>{{ <i> }}</b> {{ agent }}")
    assert "<b>" not in shown
    assert "<i>" not in shown


def test_every_variable_is_explained(
    published: Agent, victor: User, browse: Callable[[User], Client]
) -> None:
    assert set(MEANINGS) == set(contract.VARIABLES)
    page = browse(victor).get(address("agent", agent_id=published.public_id)).content.decode()
    for name in contract.VARIABLES:
        assert f"<code>{{{{ {name} }}}}</code>" in page


# --- the fallback --------------------------------------------------------------------------------


def test_a_second_account_and_a_target_are_kept(
    published: Agent,
    erin: User,
    browse: Callable[[User], Client],
    make_account: Callable[..., ProviderAccount],
) -> None:
    second = make_account(published.tenant, "Second")
    browser = browse(erin)
    chosen = {"fallback_account": str(second.public_id), "fallback_target": "sales"}
    assert save(browser, published, **chosen).status_code == 302
    draft = reread(published)
    assert (draft.fallback_account, draft.fallback_target) == (second, "sales")
    assert save(browser, published).status_code == 302
    assert reread(published).fallback_account == second
    empty = {"fallback_account": "", "fallback_target": ""}
    assert save(browser, published, **empty).status_code == 302
    draft = reread(published)
    assert (draft.fallback_account, draft.fallback_target) == (None, "")


def test_only_ones_own_account_and_a_target_that_is_there(
    published: Agent,
    birch: Tenant,
    erin: User,
    browse: Callable[[User], Client],
    make_account: Callable[..., ProviderAccount],
) -> None:
    theirs = make_account(birch, "Theirs")
    for wrong in ({"fallback_account": str(theirs.public_id)}, {"fallback_target": "nobody"}):
        answer = save(browse(erin), published, **wrong)
        assert answer.status_code == 200
        assert set(answer.context["form"].errors) == set(wrong)
        tabs = {tab["id"]: tab["problem"] for tab in answer.context["form"].tabs}
        assert tabs["fallback"]
    assert reread(published).fallback_account is None


def test_a_target_that_is_added_now_can_be_the_fallback(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    rows = {
        "transfer_targets-name": ["night"],
        "transfer_targets-uri": ["sip:night@pbx.example.com"],
        "transfer_targets-description": [""],
        "fallback_target": "night",
    }
    assert save(browse(erin), published, **rows).status_code == 302
    assert reread(published).fallback_target == "night"


# --- locks ---------------------------------------------------------------------------------------


def test_what_the_operator_locked_is_shown_and_cannot_be_typed(
    published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    published.voice = "cedar"
    published.save()
    lock("voice", "greetings", voice="ash")
    browser = browse(erin)
    form = form_of(browser, published)
    row = form.row("voice")
    assert (row.locked, row.is_here, row.inherited_text) == (True, False, "ash")
    assert form.fields["voice"].disabled
    assert form.fields["greetings"].disabled
    assert not form.fields["model"].disabled
    page = browser.get(address("agent", agent_id=published.public_id)).content.decode()
    assert "This holds for everybody: ash" in page
    # What somebody sends all the same is not taken, and what was set before is not lost.
    assert save(browser, published, voice="marin", speed="1.1").status_code == 302
    draft = reread(published)
    assert (draft.voice, draft.speed) == ("cedar", 1.1)
    assert draft.greetings == {"en": "Hello, Acme Dental."}
