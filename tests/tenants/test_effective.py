"""Which settings hold, and where each comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from media_worker import contract
from tenants.models import Agent, ProviderAccount, Tenant
from tenants.models.settings import SETTING_NAMES, SettingsFields
from tenants.services.effective import (
    BUILT_IN,
    VALUE_NAMES,
    effective_settings,
    platform_settings,
    tenant_settings,
)

VALUES: dict[str, tuple[Any, Any, Any]] = {
    "dialect": ("openai", "openai-beta", "openai"),
    "model": ("platform-model", "tenant-model", "agent-model"),
    "voice": ("alloy", "ash", "cedar"),
    "instructions": ("Platform.", "Tenant.", ""),
    "language": ("en", "de", "fr"),
    "audio_format": ("pcmu", "pcma", "pcm24k"),
    "vad_mode": ("server_vad", "semantic_vad", "server_vad"),
    "vad_threshold": (0.4, 0.6, 0.0),
    "prefix_padding_ms": (200, 400, 0),
    "silence_duration_ms": (400, 600, 0),
    "idle_timeout_ms": (6000, 7000, 0),
    "eagerness": ("low", "high", "auto"),
    "interrupt": (True, True, False),
    "greeting_guard_ms": (500, 700, 0),
    "noise_reduction": ("near_field", "far_field", "off"),
    "speed": (0.9, 1.1, 1.2),
    "temperature": (0.7, 0.9, 1.0),
    "max_output_tokens": ("100", "200", "inf"),
    "transcription_model": ("a", "b", ""),
    "transcription_language": ("en", "de", ""),
    "local_vad": ("energy", "webrtc", "off"),
    "vad_stops_agent": (True, True, False),
    "vad_gates_audio": (True, True, False),
    "false_interruption_ms": (1000, 2000, 0),
    "chunk_ms": (20, 100, 60),
    "record": (True, True, False),
    "session_extra": ({"tool_choice": "none"}, {"truncation": "auto"}, {}),
}
"""A value for each level; the agent's is one that a careless `or` would take for unset."""


def set_value(row: SettingsFields, name: str, value: Any) -> None:
    setattr(row, name, value)
    row.save()


def test_every_setting_is_tried_below_and_has_a_built_in_value():
    assert set(VALUES) | {"provider_account"} == set(VALUE_NAMES)
    assert set(BUILT_IN) == set(SETTING_NAMES)


@pytest.mark.parametrize("name", VALUES)
def test_the_most_specific_level_wins(name: str, acme: Tenant, agent: Agent):
    platform_value, tenant_value, agent_value = VALUES[name]
    set_value(agent, name, None)

    def now() -> Any:
        return effective_settings(tenant=acme, source=agent)[name]

    assert (now().value, now().level) == (BUILT_IN[name], "platform")
    set_value(platform_settings(), name, platform_value)
    assert (now().value, now().level) == (platform_value, "platform")
    set_value(tenant_settings(acme), name, tenant_value)
    assert (now().value, now().level) == (tenant_value, "tenant")
    set_value(agent, name, agent_value)
    assert (now().value, now().level) == (agent_value, "agent")
    assert (now().inherited, now().inherited_level) == (tenant_value, "tenant")
    set_value(tenant_settings(acme), name, None)
    assert (now().inherited, now().inherited_level) == (platform_value, "platform")


def test_the_provider_account_is_inherited_like_the_rest(
    acme: Tenant, agent: Agent, make_account: Callable[..., ProviderAccount]
):
    operators, tenants = make_account(None, name="Operator"), make_account(acme, name="Tenant")
    set_value(platform_settings(), "provider_account", operators)
    own = agent.provider_account
    assert effective_settings(tenant=acme, source=agent).provider_account == own
    set_value(agent, "provider_account", None)
    assert effective_settings(tenant=acme, source=agent).provider_account == operators
    set_value(tenant_settings(acme), "provider_account", tenants)
    value = effective_settings(tenant=acme, source=agent)["provider_account"]
    assert (value.value, value.level) == (tenants, "tenant")


def test_another_tenants_settings_do_not_count(acme: Tenant, birch: Tenant, agent: Agent):
    set_value(tenant_settings(birch), "voice", "ash")
    assert effective_settings(tenant=acme, source=agent)["voice"].level == "platform"


def test_a_tenants_page_sees_what_it_would_inherit(acme: Tenant):
    set_value(tenant_settings(acme), "voice", "ash")
    value = effective_settings(tenant=acme)["voice"]
    assert (value.value, value.level) == ("ash", "tenant")
    assert (value.inherited, value.inherited_level) == ("marin", "platform")


def test_the_platforms_page_sees_the_built_in_values(db: None):
    set_value(platform_settings(), "voice", "ash")
    value = effective_settings(tenant=None)["voice"]
    assert (value.value, value.inherited) == ("ash", "marin")


def test_unsaved_changes_of_a_draft_count(acme: Tenant, agent: Agent):
    agent.voice = "verse"
    assert effective_settings(tenant=acme, source=agent)["voice"].value == "verse"


def test_texts_are_merged_language_by_language(acme: Tenant, agent: Agent):
    set_value(platform_settings(), "greetings", {"en": "Platform", "de": "Plattform"})
    set_value(tenant_settings(acme), "greetings", {"de": "Mandant", "fr": "Client"})
    set_value(agent, "greetings", {"en": "Agent"})
    greetings = effective_settings(tenant=acme, source=agent).greetings
    assert {language: (text.value, text.level) for language, text in greetings.items()} == {
        "en": ("Agent", "agent"),
        "de": ("Mandant", "tenant"),
        "fr": ("Client", "tenant"),
    }
    assert greetings["en"].inherited == "Platform"
    assert greetings["de"].inherited == "Mandant"


@pytest.mark.parametrize(
    ("language", "expected"),
    [("de", ("de", "Servus")), ("de-AT", ("de", "Servus")), ("fr", ("en", "Hello"))],
)
def test_a_greeting_falls_back_to_english(
    acme: Tenant, agent: Agent, language: str, expected: tuple[str, str]
):
    set_value(agent, "greetings", {"en": "Hello", "de": "Servus"})
    found = effective_settings(tenant=acme, source=agent).greeting(language)
    assert found is not None
    assert (found[0], found[1].value) == expected


def test_an_empty_greeting_means_that_nobody_greets(acme: Tenant, agent: Agent):
    set_value(agent, "greetings", {"en": ""})
    assert effective_settings(tenant=acme, source=agent).greeting("en") is None


def test_there_is_always_an_apology(acme: Tenant):
    set_value(platform_settings(), "apologies", {})
    language, text = effective_settings(tenant=acme).apology("fr")
    assert language == "en"
    assert text.value
    set_value(platform_settings(), "apologies", None)
    assert effective_settings(tenant=acme).apology("de")[0] == "de"


def test_the_contract_gets_every_value(acme: Tenant, agent: Agent):
    for name, values in VALUES.items():
        setattr(agent, name, values[1])
    sent = effective_settings(tenant=acme, source=agent).for_contract()
    for name, values in VALUES.items():
        if name not in {"language", "max_output_tokens"}:
            assert getattr(sent, name) == values[1], name
    assert sent.max_output_tokens == 200
    assert isinstance(sent.audio_format, contract.AudioFormat)


def test_no_token_limit_is_none(acme: Tenant):
    assert effective_settings(tenant=acme).for_contract().max_output_tokens is None


def test_a_locked_setting_is_the_platforms(acme: Tenant, agent: Agent):
    platform = platform_settings()
    platform.voice, platform.locked = "alloy", ["voice", "greetings", "model"]
    platform.greetings = {"en": "Platform"}
    platform.save()
    set_value(tenant_settings(acme), "voice", "ash")
    agent.voice, agent.model, agent.greetings = "cedar", "agent-model", {"en": "Agent", "fr": "Ça"}
    effective = effective_settings(tenant=acme, source=agent)
    voice = effective["voice"]
    assert (voice.value, voice.level, voice.locked) == ("alloy", "platform", True)
    assert (voice.inherited, voice.inherited_level) == ("alloy", "platform")
    assert effective["model"].value == BUILT_IN["model"]
    assert {code: text.value for code, text in effective.greetings.items()} == {"en": "Platform"}
    assert effective.greetings["en"].locked
    assert not effective["speed"].locked
    assert effective.for_contract().voice == "alloy"


def test_a_lock_that_goes_lets_the_levels_speak_again(acme: Tenant, agent: Agent):
    set_value(platform_settings(), "locked", ["voice"])
    agent.voice = "cedar"
    assert effective_settings(tenant=acme, source=agent)["voice"].value == BUILT_IN["voice"]
    set_value(platform_settings(), "locked", [])
    assert effective_settings(tenant=acme, source=agent)["voice"].value == "cedar"


def test_session_fields_that_the_dialect_does_not_know_are_named(acme: Tenant, agent: Agent):
    agent.session_extra = {"tool_choice": "none", "truncation": "auto"}
    assert not effective_settings(tenant=acme, source=agent).conflicts()
    agent.dialect = "openai-beta"
    conflicts = effective_settings(tenant=acme, source=agent).conflicts()
    assert conflicts == {"session_extra": "The beta dialect does not know: truncation."}


def test_values_that_cannot_hold_together_are_named(acme: Tenant, agent: Agent):
    agent.audio_format, agent.vad_mode = "pcm16k", "local"
    conflicts = effective_settings(tenant=acme, source=agent).conflicts()
    assert set(conflicts) == {"audio_format", "local_vad"}
    agent.dialect, agent.local_vad = "openai-beta", "energy"
    assert not effective_settings(tenant=acme, source=agent).conflicts()
