"""Which call may come in, and what its worker is told."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from media_worker import contract
from media_worker.contract import RefusalReason
from pbxai.crypto import KeyRingSource, new_key_entry
from tenants.models import Agent, Call, Number, Tenant, User, Worker
from tenants.services.admission import CallKeyTaken, admit, settings_used
from tenants.services.effective import effective_settings, platform_settings, tenant_settings
from tenants.services.publishing import publish


def invite(called: str = "100", **fields: Any) -> contract.AdmissionRequest:
    return contract.AdmissionRequest(
        **{
            "call_key": str(uuid.uuid4()),
            "called": called,
            "calling": "+4930555",
            "calling_name": "Caller",
            "sip_call_id": "abc@127.0.0.1",
            "source": "UDP:127.0.0.1:5066",
            **fields,
        }
    )


def accepted(worker: Worker, request: contract.AdmissionRequest | None = None) -> contract.CallPlan:
    answer = admit(worker=worker, request=request or invite())
    assert isinstance(answer, contract.CallPlan), answer
    return answer


def refused(worker: Worker, request: contract.AdmissionRequest | None = None) -> RefusalReason:
    answer = admit(worker=worker, request=request or invite())
    assert isinstance(answer, contract.Refusal), answer
    call = Call.all_tenants.get(public_id=answer.call_id)
    assert (call.state, call.refusal_reason) == ("refused", answer.reason.value)
    assert call.sip_status == contract.SIP_STATUS[answer.reason]
    assert call.ended_at is not None
    return answer.reason


def test_a_plan_holds_all_that_a_worker_needs(number: Number, worker: Worker):
    request = invite()
    plan = accepted(worker, request)
    assert plan.call_id == request.call_key
    assert plan.tenant_id == str(number.tenant.public_id)
    assert plan.agent_id == str(number.agent.public_id)
    assert (plan.agent_name, plan.revision, plan.language) == ("Reception", 1, "en")
    assert plan.greeting == contract.Greeting(language="en", text="Hello, Acme Dental.")
    assert plan.apology.language == "en"
    assert plan.provider.api_key == "sandbox-key-0001"
    assert plan.settings.instructions == "You are the reception of Acme Dental."
    assert plan.settings.voice == "marin"
    [target] = plan.tools.transfer_targets
    assert (target.name, target.uri) == ("sales", "sip:sales@127.0.0.1:5080")
    assert plan.tools.hang_up
    decoded = contract.decode_admission(contract.encode(plan))
    assert decoded == plan


def test_the_call_is_recorded_without_the_key(number: Number, worker: Worker):
    plan = accepted(worker)
    call = Call.all_tenants.get(public_id=plan.call_id)
    assert (call.state, call.tenant, call.number) == ("ringing", number.tenant, number)
    assert (call.called, call.calling, call.source) == ("100", "+4930555", "UDP:127.0.0.1:5066")
    assert call.revision == number.agent.published
    assert call.settings_used["voice"] == {"value": "marin", "level": "platform"}
    assert call.settings_used["instructions"]["level"] == "agent"
    assert call.settings_used["provider_account"] == {"value": "Main", "level": "agent"}
    assert "sandbox-key" not in str(call.settings_used)


def test_the_numbers_language_chooses_the_greeting(number: Number, worker: Worker):
    settings = tenant_settings(number.tenant)
    settings.greetings = {"de": "Guten Tag"}
    settings.save()
    Number.all_tenants.update(language="de")
    plan = accepted(worker)
    assert (plan.language, plan.greeting) == (
        "de",
        contract.Greeting(language="de", text="Guten Tag"),
    )
    assert plan.apology.language == "de"


@pytest.mark.parametrize("called", ["100", "1-0-0", "100;phone-context=example.com", "%31%30%30"])
def test_a_number_is_found_however_it_is_written(number: Number, worker: Worker, called: str):
    accepted(worker, invite(called))


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("called", ["999", "", "100@evil", "x" * 300, "nul\x00"])
def test_an_unknown_number_is_recorded_of_no_tenant(number: Number, worker: Worker, called: str):
    assert refused(worker, invite(called)) is RefusalReason.UNKNOWN_NUMBER
    assert Call.all_tenants.get().tenant is None


def test_a_tenant_that_is_off(number: Number, worker: Worker):
    Tenant.objects.update(is_active=False)
    Number.all_tenants.update(is_active=False)
    assert refused(worker) is RefusalReason.TENANT_DISABLED
    assert Call.all_tenants.get().tenant == number.tenant


def test_a_number_that_is_off(number: Number, worker: Worker):
    Number.all_tenants.update(is_active=False)
    assert refused(worker) is RefusalReason.NUMBER_DISABLED


def test_an_agent_that_was_never_published(agent: Agent, worker: Worker):
    Number.all_tenants.create(tenant=agent.tenant, number="100", agent=agent)
    assert refused(worker) is RefusalReason.NO_PUBLISHED_REVISION


def test_no_provider_account(agent: Agent, worker: Worker):
    Agent.all_tenants.update(provider_account=None)
    publish(agent=agent, user=None)
    Number.all_tenants.create(tenant=agent.tenant, number="100", agent=agent)
    assert refused(worker) is RefusalReason.NO_PROVIDER_ACCOUNT


def test_an_account_without_a_key(number: Number, worker: Worker, account: Any):
    account.set_secret("")
    account.save()
    assert refused(worker) is RefusalReason.NO_PROVIDER_ACCOUNT


def test_a_key_that_does_not_open_is_our_fault(number: Number, worker: Worker, settings: Any):
    settings.KEYRING = KeyRingSource(text=new_key_entry("other"))
    assert refused(worker) is RefusalReason.INTERNAL_ERROR


def test_the_tenants_limit(number: Number, worker: Worker):
    Tenant.objects.update(max_concurrent_calls=2)
    first, _second = accepted(worker), accepted(worker)
    assert refused(worker) is RefusalReason.TENANT_LIMIT
    Call.all_tenants.filter(public_id=first.call_id).update(
        state="ended", end_cause="caller_hung_up", ended_at=timezone.now()
    )
    accepted(worker)


def test_another_tenants_calls_do_not_count(number: Number, birch: Tenant, worker: Worker):
    Tenant.objects.update(max_concurrent_calls=1)
    Call.all_tenants.create(tenant=birch, called="1", state="running", started_at=timezone.now())
    accepted(worker)


# --- idempotency ---------------------------------------------------------------------------------


def test_a_retry_gets_the_same_plan(number: Number, worker: Worker):
    request = invite()
    plan = accepted(worker, request)
    settings = platform_settings()
    settings.voice = "cedar"
    settings.save()
    number.agent.instructions = "Something else."
    number.agent.save()
    publish(agent=number.agent, user=None)
    assert accepted(worker, request) == plan
    assert Call.all_tenants.count() == 1


def test_a_retry_at_the_limit_is_no_second_call(number: Number, worker: Worker):
    Tenant.objects.update(max_concurrent_calls=1)
    request = invite()
    assert accepted(worker, request) == accepted(worker, request)


def test_a_retry_of_a_refusal_is_refused_again(number: Number, worker: Worker):
    Number.all_tenants.update(is_active=False)
    request = invite()
    assert refused(worker, request) is RefusalReason.NUMBER_DISABLED
    Number.all_tenants.update(is_active=True)
    assert refused(worker, request) is RefusalReason.NUMBER_DISABLED


def test_another_workers_call_is_not_given_away(number: Number, worker: Worker):
    request = invite()
    accepted(worker, request)
    with pytest.raises(CallKeyTaken):
        admit(worker=Worker.objects.create(name="other", token_digest="x"), request=request)


def test_a_call_key_is_a_uuid(number: Number, worker: Worker):
    with pytest.raises(CallKeyTaken):
        admit(worker=worker, request=invite(call_key="1; DROP TABLE"))


# --- many at once --------------------------------------------------------------------------------


def in_threads(count: int, work: Any) -> list[Any]:
    """Run `work(n)` in so many threads, all let go at the same moment."""
    gate, results = threading.Barrier(count), [None] * count

    def run(place: int) -> None:
        try:
            gate.wait()
            results[place] = work(place)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
def test_the_limit_holds_when_calls_come_together(number: Number, worker: Worker):
    Tenant.objects.update(max_concurrent_calls=3)
    answers = in_threads(12, lambda _place: admit(worker=worker, request=invite()))
    plans = [answer for answer in answers if isinstance(answer, contract.CallPlan)]
    refusals = [answer for answer in answers if isinstance(answer, contract.Refusal)]
    assert (len(plans), len(refusals)) == (3, 9)
    assert {refusal.reason for refusal in refusals} == {RefusalReason.TENANT_LIMIT}
    assert Call.all_tenants.filter(state="ringing").count() == 3
    assert Call.all_tenants.count() == 12


@pytest.mark.django_db(transaction=True)
def test_one_call_asked_for_many_times_at_once_is_one(number: Number, worker: Worker):
    request = invite()
    answers = in_threads(8, lambda _place: admit(worker=worker, request=request))
    assert all(answer == answers[0] for answer in answers)
    assert isinstance(answers[0], contract.CallPlan)
    assert Call.all_tenants.count() == 1


# --- what stands in the call's row ---------------------------------------------------------------


def test_the_plan_of_a_retry_is_the_one_that_the_call_was_given(
    number: Number, worker: Worker, alice: User
):
    request = invite()
    first = accepted(worker, request)
    assert [target.name for target in first.tools.transfer_targets] == ["sales"]
    number.agent.transfer_targets, number.agent.session_extra = [], {"tool_choice": "none"}
    number.agent.save()
    publish(agent=number.agent, user=alice)
    assert accepted(worker, request) == first
    second = accepted(worker)
    assert second.tools.transfer_targets == ()
    assert second.settings.session_extra == {"tool_choice": "none"}


def test_a_draft_that_is_called_has_its_plan_in_the_call(
    published: Agent, worker: Worker, alice: User
):
    published.voice, published.hang_up_enabled = "cedar", False
    effective = effective_settings(tenant=published.tenant, source=published)
    call = Call.all_tenants.create(
        public_id=uuid.uuid4(),
        tenant=published.tenant,
        agent=published,
        worker=worker,
        kind="browser",
        draft_version=published.draft_version,
        placed_by=alice,
        called="Reception",
        language="en",
        state="ringing",
        started_at=timezone.now(),
        account=effective.provider_account,
        settings_used=settings_used(effective, "en", published),
    )
    plan = accepted(worker, invite(call_key=str(call.public_id)))
    assert (plan.kind, plan.revision, plan.number_id) == (contract.CallKind.BROWSER, 0, "")
    assert (plan.agent_name, plan.settings.voice) == ("Reception", "cedar")
    assert not plan.tools.hang_up
