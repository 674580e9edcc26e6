"""The agent's page says what callers hear first, and lets people listen to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import translation

from tenants.models import Agent, AuditEntry, Prompt, User
from tenants.models.choices import PromptState
from tenants.services import prompts, speech
from tests.portal.conftest import address

SOUND = b"RIFF and so on"


@pytest.fixture
def prompt(published: Agent) -> Prompt:
    """What publishing has ordered."""
    return Prompt.all_tenants.get()


def keep(prompt: Prompt) -> None:
    prompt.state, prompt.digest = PromptState.READY, "ab" * 32
    prompt.file.save("", ContentFile(SOUND))


def page(browser: Client, agent: Agent) -> str:
    return browser.get(address("agent", agent_id=agent.public_id)).content.decode()


def test_a_greeting_that_is_being_made(
    prompt: Prompt, published: Agent, victor: User, browse: Callable[[User], Client]
) -> None:
    shown = page(browse(victor), published)
    assert "Being made" in shown
    assert "<audio" not in shown


def test_a_greeting_that_is_ready_can_be_heard(
    prompt: Prompt, published: Agent, victor: User, browse: Callable[[User], Client]
) -> None:
    keep(prompt)
    browser = browse(victor)
    url = address("prompt", prompt_id=prompt.public_id)
    shown = page(browser, published)
    assert "Plays at once" in shown
    assert f'src="{url}"' in shown
    answer = browser.get(url)
    assert (answer["Content-Type"], answer.content) == ("audio/wav", SOUND)
    assert "no-store" in answer["Cache-Control"]
    assert AuditEntry.all_tenants.get(action="prompt.listen").user == victor


def test_a_greeting_that_cannot_be_made_says_why(
    prompt: Prompt, published: Agent, alice: User, browse: Callable[[User], Client]
) -> None:
    Prompt.all_tenants.update(
        state=PromptState.FAILED, error=f"{speech.NO_VOICE}\nSupported values are: <alloy>."
    )
    shown = page(browse(alice), published)
    assert "Said live" in shown
    assert "does not know this voice" in shown
    assert "&lt;alloy&gt;" in shown, "what a provider says is text"
    with translation.override("de"):
        assert translation.gettext(speech.NO_VOICE) != speech.NO_VOICE


def test_a_drafts_words_are_made_when_somebody_wants_to_hear_them(
    agent: Agent, erin: User, victor: User, browse: Callable[[User], Client]
) -> None:
    url = address("agent_words", agent_id=agent.public_id)
    shown = page(browse(erin), agent)
    assert "Of the saved draft" in shown
    assert "Not made yet" in shown
    assert not Prompt.all_tenants.exists(), "looking costs nothing"
    assert "Make it, to listen" not in page(browse(victor), agent)
    assert browse(victor).post(url).status_code == 403

    ordered = browse(erin).post(url).content.decode()
    made = Prompt.all_tenants.get()
    assert (made.text, made.state) == ("Hello, Acme Dental.", PromptState.WAITING)
    assert 'hx-trigger="every 2s"' in ordered, "the page asks again"
    keep(made)
    ready = browse(erin).get(url).content.decode()
    assert f'src="{address("prompt", prompt_id=made.public_id)}"' in ready
    assert "every 2s" not in ready
    assert AuditEntry.all_tenants.get(action="prompt.order").user == erin


def test_what_is_published_is_not_listed_twice(
    prompt: Prompt, published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    assert "Of the saved draft" not in page(browse(erin), published)
    published.greetings = {"en": "Good morning."}
    published.save()
    assert "Of the saved draft" in page(browse(erin), published)


def test_one_person_cannot_have_speech_made_without_end(
    agent: Agent, erin: User, browse: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "ORDERS", 1)
    browser, url = browse(erin), address("agent_words", agent_id=agent.public_id)
    browser.post(url)
    agent.greetings = {"en": "Good morning."}
    agent.save()
    assert "go on a little later" in browser.post(url).content.decode()
    assert Prompt.all_tenants.count() == 1


def test_words_with_variables_are_said_live_and_say_so(
    agent: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    agent.greetings = {"en": "Hello {{ caller_name }}."}
    agent.save()
    browser = browse(erin)
    shown = page(browser, agent)
    assert "Said live" in shown
    assert "Try the agent to hear it." in shown
    assert "Make it, to listen" not in shown
    browser.post(address("agent_words", agent_id=agent.public_id))
    assert not Prompt.all_tenants.exists()


def test_a_greeting_in_a_language_that_no_number_has_can_be_heard_too(
    prompt: Prompt, published: Agent, erin: User, browse: Callable[[User], Client]
) -> None:
    published.greetings = {"fr": "Bonjour, cabinet Acme."}
    published.save()
    browser = browse(erin)
    assert "Greeting · French" in page(browser, published)
    browser.post(address("agent_words", agent_id=published.public_id))
    made = Prompt.all_tenants.get(language="fr")
    assert (made.text, made.state) == ("Bonjour, cabinet Acme.", PromptState.WAITING)


def test_what_is_not_ready_or_lost_is_not_found(
    prompt: Prompt, alice: User, browse: Callable[[User], Client]
) -> None:
    browser, url = browse(alice), address("prompt", prompt_id=prompt.public_id)
    assert browser.get(url).status_code == 404
    keep(prompt)
    prompt.file.storage.delete(prompt.file.name)
    assert browser.get(url).status_code == 404
    again: Any = Prompt.all_tenants.get()
    assert again.state == PromptState.WAITING
