"""Trying an agent from the portal: who may, which worker, what it is told, how it ends."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.db import transaction
from django.test import Client
from django.utils import timezone, translation
from django_scopes import scope

from media_worker import contract
from tenants.models import Agent, AuditEntry, Call, Number, ProviderAccount, Tenant, User, Worker
from tenants.services import live, trial, variables
from tenants.services.admission import admit, plan_for
from tenants.services.publishing import save_draft
from tests.tenants.test_admission import invite

COMMANDS = ["browser_call.start", "browser_call.key", "chat.start", "chat.text"]


@pytest.fixture
def worker(worker_and_token: tuple[Worker, str]) -> Worker:
    """One that is connected and takes two calls from browsers."""
    ready = worker_and_token[0]
    ready.connected, ready.last_seen_at = True, timezone.now()
    ready.commands, ready.browser_capacity = COMMANDS, 2
    ready.save()
    return ready


@pytest.fixture
def hear(worker: Worker) -> Iterator[Callable[[], Any]]:
    """Listens on the worker's group; gives the next command."""
    layer: Any = get_channel_layer()
    with asyncio.Runner() as listener:  # on Redis a channel is its loop's
        channel = listener.run(layer.new_channel())
        listener.run(layer.group_add(live.worker_group(worker), channel))
        yield lambda: contract.decode_down(listener.run(layer.receive(channel))["frame"])


def begin(agent: Agent, user: User, source: trial.Source = "draft") -> Call:
    return trial.begin_browser_call(agent=agent, source=source, user=user)


def why_not(agent: Agent, user: User, source: trial.Source = "draft") -> str:
    with pytest.raises(trial.CannotTry) as refused:
        begin(agent, user, source)
    assert not Call.all_tenants.exists()
    return str(refused.value)


# --- beginning -----------------------------------------------------------------------------------


def test_a_draft_is_called_as_it_stands_now(published: Agent, erin: User, worker: Worker):
    published.voice, published.instructions = "cedar", "Say the new words."
    save_draft(agent=published, user=erin)
    call = begin(published, erin)
    assert (call.kind, call.state, call.worker, call.placed_by) == (
        "browser",
        "ringing",
        worker,
        erin,
    )
    assert (call.draft_version, call.revision) == (published.draft_version, None)
    # What is saved later is another draft: the call keeps what it was begun with.
    published.voice = "marin"
    save_draft(agent=published, user=erin)
    plan = plan_for(worker=worker, call_id=call.public_id)
    assert isinstance(plan, contract.CallPlan)
    assert (plan.kind, plan.revision, plan.settings.voice) == ("browser", 0, "cedar")
    assert plan.settings.instructions == "Say the new words."
    assert plan.provider.api_key == "sandbox-key-0001"
    assert plan.variables["caller_name"] == "erin@acme.example"
    entry = AuditEntry.all_tenants.get(action="agent.try")
    assert (entry.user, entry.detail["source"]) == (erin, "draft")


def test_what_is_published_is_called_as_a_phone_would(published: Agent, erin: User, worker: Worker):
    published.voice = "cedar"
    save_draft(agent=published, user=erin)
    call = begin(published, erin, "published")
    assert (call.revision, call.draft_version) == (published.published, None)
    plan = plan_for(worker=worker, call_id=call.public_id)
    assert isinstance(plan, contract.CallPlan)
    assert (plan.revision, plan.settings.voice) == (1, "marin")


def test_what_was_never_published_has_only_a_draft(agent: Agent, erin: User, worker: Worker):
    assert "never published" in why_not(agent, erin, "published")
    assert begin(agent, erin).draft_version == agent.draft_version


def test_no_account_no_call(published: Agent, erin: User, worker: Worker):
    published.provider_account = None
    save_draft(agent=published, user=erin)
    assert "No AI provider account" in why_not(published, erin)


def test_a_draft_that_cannot_hold_together_says_why(published: Agent, erin: User, worker: Worker):
    published.audio_format = "pcm16k"
    save_draft(agent=published, user=erin)
    assert "PCM at 16 kHz" in why_not(published, erin)


@pytest.mark.parametrize(
    "state",
    [
        {"connected": False},
        {"is_active": False},
        {"draining": True},
        {"drain_wanted": True},
        {"commands": ["chat.start"]},
        {"last_seen_at": None},
    ],
    ids=lambda state: next(iter(state)),
)
def test_a_worker_that_cannot_is_not_asked(
    published: Agent, erin: User, worker: Worker, state: dict[str, Any]
):
    Worker.objects.update(**state)
    assert "No media worker is connected" in why_not(published, erin)


def test_a_worker_that_is_full_is_not_asked(published: Agent, erin: User, worker: Worker):
    begin(published, erin)
    begin(published, erin)
    with pytest.raises(trial.CannotTry, match="as it can take"):
        begin(published, erin)
    other = Worker.objects.create(
        name="second", connected=True, last_seen_at=timezone.now(), commands=COMMANDS,
        browser_capacity=1,
    )  # fmt: skip
    assert begin(published, erin).worker == other


def test_it_counts_among_the_tenants_calls_and_a_chat_does_not(
    number: Number, erin: User, worker: Worker
):
    Tenant.objects.update(max_concurrent_calls=1)
    number.agent.refresh_from_db()
    trial.begin_chat(agent=number.agent, source="draft", user=erin)
    call = begin(number.agent, erin)
    with pytest.raises(trial.CannotTry, match="running already"):
        begin(number.agent, erin)
    answer = admit(worker=worker, request=invite())
    assert isinstance(answer, contract.Refusal)
    assert answer.reason is contract.RefusalReason.TENANT_LIMIT
    trial.leave(call=call, user=erin, was_offered=False)
    assert isinstance(admit(worker=worker, request=invite()), contract.CallPlan)


def test_one_person_cannot_try_without_end(
    published: Agent, erin: User, bob: User, worker: Worker, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(trial, "TRIALS_AN_HOUR", 1)
    begin(published, erin)
    with pytest.raises(trial.CannotTry, match="within the hour"):
        begin(published, erin)
    assert begin(published, bob)


# --- the worker ----------------------------------------------------------------------------------


def test_the_key_goes_to_the_worker_that_was_asked_and_only_while_it_rings(
    published: Agent, erin: User, worker_and_token: tuple[Worker, str], worker: Worker
):
    call = begin(published, erin)
    path = contract.PLAN_PATH.replace("{call_id}", str(call.public_id))
    bearer = {"Authorization": f"Bearer {worker_and_token[1]}"}
    answer = Client().post(path, headers=bearer)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert contract.decode_admission(answer.content).call_id == str(call.public_id)
    assert Client().post(path).status_code == 401
    assert Client().get(path, headers=bearer).status_code == 405
    other = Worker.objects.create(name="other")
    assert plan_for(worker=other, call_id=call.public_id) is None
    assert plan_for(worker=worker, call_id=uuid.uuid4()) is None
    Call.all_tenants.update(state="running")
    assert Client().post(path, headers=bearer).status_code == 404


def test_a_phones_plan_cannot_be_pulled(number: Number, worker: Worker):
    plan = admit(worker=worker, request=invite())
    assert plan_for(worker=worker, call_id=uuid.UUID(plan.call_id)) is None


@pytest.mark.django_db(transaction=True)
def test_offer_keys_and_the_end_reach_the_worker(
    published: Agent, erin: User, hear: Callable[[], Any]
):
    call = begin(published, erin)
    key = str(call.public_id)
    trial.offer(call=call, sdp="v=0")
    assert hear() == contract.StartBrowserCall(command_id=key, call_id=key, sdp="v=0")
    trial.press_key(call=call, digit="5")
    pressed = hear()
    assert (pressed.call_id, pressed.digit) == (key, "5")
    for wrong in ("", "55", "x"):
        with pytest.raises(trial.CannotTry):
            trial.press_key(call=call, digit=wrong)
    for wrong in ("", "v" * (trial.SDP_LIMIT + 1)):
        with pytest.raises(trial.CannotTry):
            trial.offer(call=call, sdp=wrong)
    trial.leave(call=call, user=erin, was_offered=True)
    assert isinstance(hear(), contract.HangUpCall)


@pytest.mark.django_db(transaction=True)
def test_a_chat_is_begun_and_written_in(published: Agent, erin: User, hear: Callable[[], Any]):
    call = trial.begin_chat(agent=published, source="draft", user=erin)
    key = str(call.public_id)
    assert hear() == contract.StartChat(command_id=key, call_id=key)
    item_id = trial.say_in_chat(call=call, text=" When are you open? ")
    said = hear()
    assert (said.text, said.item_id) == ("When are you open?", item_id)
    for wrong in (" ", "x" * (trial.TEXT_LIMIT + 1)):
        with pytest.raises(trial.CannotTry):
            trial.say_in_chat(call=call, text=wrong)
    Worker.objects.update(connected=False)
    with pytest.raises(trial.CannotTry, match="not connected"):
        trial.say_in_chat(call=call, text="Hello?")


@pytest.mark.django_db(transaction=True)
def test_a_refusal_of_the_worker_closes_the_call_and_reaches_the_browser(
    published: Agent, erin: User, worker: Worker
):
    call = begin(published, erin)
    refusal = contract.BrowserCallAnswer(call_id=str(call.public_id), refused="No room.")
    other = Worker.objects.create(name="other")
    assert trial.answered(other, refusal) == []
    [(group, message)] = trial.answered(worker, refusal)
    assert group == live.talk_group(call.public_id)
    assert message == {"type": "browser.answered", "sdp": "", "refused": "No room."}
    call.refresh_from_db()
    assert (call.state, call.refusal_reason, call.end_detail) == (
        "refused",
        "browser_full",
        "No room.",
    )
    assert trial.answered(worker, refusal) == []


@pytest.mark.django_db(transaction=True)
def test_an_answer_reaches_the_browser(published: Agent, erin: User, worker: Worker):
    call = begin(published, erin)
    answer = contract.BrowserCallAnswer(call_id=str(call.public_id), sdp="v=0 answer")
    [(_group, message)] = trial.answered(worker, answer)
    assert (message["sdp"], message["refused"]) == ("v=0 answer", "")
    call.refresh_from_db()
    assert call.state == "ringing", "the worker's own events say when it is answered"


@pytest.mark.django_db(transaction=True)
def test_a_chat_that_cannot_begin_is_closed(published: Agent, erin: User, worker: Worker):
    call = trial.begin_chat(agent=published, source="draft", user=erin)
    assert trial.failed(worker, str(call.public_id), "No room for a chat.")
    call.refresh_from_db()
    assert (call.state, call.end_detail) == ("refused", "No room for a chat.")
    assert trial.failed(worker, "nonsense", "") == []


def test_leaving_before_the_offer_ends_the_call_at_once(
    published: Agent, erin: User, worker: Worker
):
    call = begin(published, erin)
    trial.leave(call=call, user=erin, was_offered=False)
    call.refresh_from_db()
    assert (call.state, call.end_cause) == ("ended", "caller_hung_up")


# --- the second account, variables ---------------------------------------------------------------


def test_the_second_key_goes_only_to_a_worker_that_uses_it(
    published: Agent,
    erin: User,
    worker: Worker,
    make_account: Callable[..., ProviderAccount],
):
    second = make_account(published.tenant, "Second", "sandbox-key-0002")
    published.fallback_account, published.fallback_target = second, "sales"
    save_draft(agent=published, user=erin)
    call = begin(published, erin)
    assert call.settings_used["fallback_account"]["value"] == "Second"
    assert "sandbox-key" not in json.dumps(call.settings_used)
    plan = plan_for(worker=worker, call_id=call.public_id)
    assert isinstance(plan, contract.CallPlan)
    assert (plan.fallback, plan.fallback_target) == (None, "sales")
    worker.commands = [*COMMANDS, contract.USES_FALLBACK]
    worker.save()
    plan = plan_for(worker=worker, call_id=call.public_id)
    assert isinstance(plan, contract.CallPlan)
    assert plan.fallback is not None
    assert plan.fallback.api_key == "sandbox-key-0002"
    # Another tenant's account is never used, whatever the row says.
    with transaction.atomic(), scope(tenant=None):
        ProviderAccount.all_tenants.filter(pk=second.pk).update(
            tenant=Tenant.objects.create(slug="other", name="Other")
        )
    plan = plan_for(worker=worker, call_id=call.public_id)
    assert isinstance(plan, contract.CallPlan)
    assert plan.fallback is None


def test_a_phones_plan_carries_what_the_worker_does_not_know(number: Number, worker: Worker):
    number.language = "de-CH"
    number.save()
    plan = admit(worker=worker, request=invite())
    assert isinstance(plan, contract.CallPlan)
    assert plan.variables == {
        "agent": "Reception",
        "tenant": "Acme Dental",
        "language": "Deutsch",
        "opening_hours": "rund um die Uhr",
        "time_zone": "Europe/Berlin",
    }, "the worker knows who calls"


def test_opening_hours_are_said_in_a_line():
    hours: dict[str, Any] = {
        day: [["09:00", "12:00"], ["13:00", "17:00"]] for day in ("mon", "tue", "wed", "thu")
    }
    hours |= {"fri": [["09:00", "12:00"]], "closed": ["1999-12-24", "2999-12-24"]}
    with translation.override("de"):
        said = variables.opening_hours(hours, timezone.now())
    assert said == (
        "Montag bis Donnerstag 09:00-12:00, 13:00-17:00; Freitag 09:00-12:00; "
        "geschlossen am 2999-12-24"
    )
    assert variables.opening_hours({}, timezone.now()) == "closed"


def test_a_sample_caller_fills_every_variable(published: Agent):
    values = variables.sample(published, "en")
    assert set(values) == set(contract.VARIABLES)
    text = "Hello {{ caller_name }}, {{opening_hours}}, {{ nonsense }}"
    assert contract.fill(text, values) == "Hello Maria Huber, around the clock, {{ nonsense }}"
    assert variables.unknown_in([text, "{{ other }}"]) == ["nonsense", "other"]
