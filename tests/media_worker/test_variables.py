"""Texts of a plan, filled in for one call."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from media_worker.contract import (
    AdmissionRequest,
    CallPlan,
    Greeting,
    Prompt,
    PromptKind,
    ProviderAccess,
    Settings,
)
from media_worker.variables import filled

MOMENT = datetime(2026, 3, 5, 9, 7, tzinfo=UTC)
REQUEST = AdmissionRequest(
    call_key="k", called="4711", calling="+4930", calling_name="Ada\r\nLovelace", sip_call_id="s"
)


def plan(text: str, language: str = "en", **changes: object) -> CallPlan:
    made = CallPlan(
        call_id="c", tenant_id="t", number_id="n", agent_id="a", agent_name="Ada", revision=1,
        language=language, greeting=Greeting(language=language, text=text),
        apology=Greeting(language=language, text="Sorry."),
        provider=ProviderAccess(account_id="a", name="p", url="ws://x", api_key="k"),
        settings=Settings(model="m", voice="v", instructions=text),
        variables={"tenant": "Acme", "time_zone": "Europe/Berlin"},
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def test_instructions_and_greeting_are_filled_for_this_caller():
    text = "Hello {{ caller_name }} ({{caller}}) at {{ tenant }}, {{ called }}."
    made = filled(plan(text), REQUEST, MOMENT)
    assert made.greeting.text == "Hello Ada Lovelace (+4930) at Acme, 4711."
    assert made.settings.instructions == made.greeting.text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-GB", "Thursday, March 5, 2026, 09:07"),
        ("de", "Donnerstag, 5. März 2026, 09:07"),
        ("fr", "Thursday, March 5, 2026, 09:07"),
    ],
)
def test_the_moment_is_said_in_the_calls_language(language: str, said: str):
    text = "{{ weekday }}, {{ date }}, {{ time }}"
    assert filled(plan(text, language), REQUEST, MOMENT).greeting.text == said


def test_a_name_that_nobody_knows_stays_as_it_is():
    made = filled(plan("Hello {{ nobody }} {{ time_zone }}"), REQUEST, MOMENT)
    assert made.greeting.text == "Hello {{ nobody }} {{ time_zone }}"


@pytest.mark.parametrize("zone", ["Nowhere/Town", "../etc/passwd", ""])
def test_a_zone_that_this_machine_does_not_know_is_no_reason_to_fail(zone: str):
    made = filled(plan("{{ time }}", variables={"time_zone": zone}), REQUEST)
    assert made.greeting.text == datetime.now(UTC).strftime("%H:%M")


def test_a_prompt_of_a_text_with_variables_is_not_played():
    prompts = tuple(
        Prompt(kind=kind, language="en", text=text, digest="d", duration_ms=1)
        for kind, text in (
            (PromptKind.GREETING, "Hello {{ caller }}"),
            (PromptKind.CONSENT, "This call is recorded."),
        )
    )
    made = filled(plan("Hello {{ caller }}", prompts=prompts), REQUEST, MOMENT)
    assert [prompt.kind for prompt in made.prompts] == [PromptKind.CONSENT]


def test_a_call_from_a_browser_has_its_caller_in_the_plan():
    made = filled(plan("Hello {{ caller_name }}", variables={"caller_name": "Maria"}))
    assert made.greeting.text == "Hello Maria"
