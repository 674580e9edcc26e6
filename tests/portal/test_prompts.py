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
from tenants.services import speech
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


def test_a_draft_alone_says_nothing(
    agent: Agent, alice: User, browse: Callable[[User], Client]
) -> None:
    assert "First words" not in page(browse(alice), agent)


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
