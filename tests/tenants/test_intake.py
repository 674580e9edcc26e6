"""Records of outboxes: each stored once, in order, and a bad one holds up nobody."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import OperationalError
from django.utils import timezone

from media_worker import contract
from tenants.models import (
    Call,
    CallEvent,
    CallProblem,
    CallQuality,
    Number,
    ProviderAccount,
    SetAsideRecord,
    ToolCall,
    TranscriptEntry,
    Turn,
    User,
    Worker,
    WorkerStream,
)
from tenants.services import events, intake
from tests.tenants.calls import Outbox, admitted, invite, said


@pytest.fixture
def outbox(worker: Worker) -> Outbox:
    return Outbox(worker)


@pytest.fixture
def call(number: Number, worker: Worker) -> Call:
    """A ringing call."""
    return admitted(worker)


@pytest.fixture
def running(call: Call, outbox: Outbox) -> Call:
    outbox.send(contract.CallAnswered(codec="PCMU/8000"), call)
    return fresh(call)


def fresh(call: Call) -> Call:
    return Call.all_tenants.get(pk=call.pk)


# --- every event ---------------------------------------------------------------------------------


def test_a_call_is_answered_and_ends(call: Call, outbox: Outbox):
    stored = outbox.send(contract.CallAnswered(codec="PCMA/8000"), call, at=1_800_000_000.5)
    assert stored.acknowledged == 1
    answered = fresh(call)
    assert (answered.state, answered.codec) == ("running", "PCMA/8000")
    assert answered.answered_at == datetime.fromtimestamp(1_800_000_000.5, tz=UTC)
    ended = contract.CallEnded(
        cause=contract.EndCause.CALLER_HUNG_UP, duration_ms=4200, sip_status=200
    )
    outbox.send(ended, call, at=1_800_000_005.0)
    over = fresh(call)
    assert (over.state, over.end_cause, over.duration_ms) == ("ended", "caller_hung_up", 4200)
    assert over.ended_at == datetime.fromtimestamp(1_800_000_005.0, tz=UTC)
    assert over.version == call.version + 2


def test_a_call_may_end_before_it_was_answered(call: Call, outbox: Outbox):
    outbox.send(contract.CallEnded(cause=contract.EndCause.CALLER_HUNG_UP), call)
    assert (fresh(call).state, fresh(call).answered_at) == ("ended", None)


def test_a_session_is_recorded(running: Call, outbox: Outbox, account: ProviderAccount):
    outbox.send(
        contract.SessionOpened(
            account_id=str(account.public_id),
            session_id="sess_1",
            model="gpt-realtime-2.1",
            input_format=contract.AudioFormat.PCMU,
            output_format=contract.AudioFormat.PCM_24K,
            took_ms=310,
        ),
        running,
    )
    call = fresh(running)
    assert (call.account, call.account_name, call.session_id) == (account, "Main", "sess_1")
    assert (call.input_format, call.output_format, call.session_took_ms) == ("pcmu", "pcm24k", 310)


def test_a_problem_is_on_the_call_and_on_the_account(
    running: Call, outbox: Outbox, account: ProviderAccount
):
    outbox.send(
        contract.ProviderProblem(
            account_id=str(account.public_id),
            kind=contract.ProblemKind.QUOTA,
            code="insufficient_quota",
            message="You exceeded your quota",
            fatal=True,
            offset_ms=900,
        ),
        running,
    )
    problem = CallProblem.all_tenants.get(call=running)
    assert (problem.kind, problem.code, problem.fatal) == ("quota", "insufficient_quota", True)
    account.refresh_from_db()
    assert account.last_problem_kind == "quota"
    assert account.last_problem_at is not None


def test_a_foreign_account_is_neither_named_nor_blamed(
    running: Call, outbox: Outbox, birch: Any, make_account: Any
):
    theirs = make_account(birch)
    kind = contract.ProblemKind.QUOTA
    outbox.send(contract.ProviderProblem(account_id=str(theirs.public_id), kind=kind), running)
    theirs.refresh_from_db()
    assert theirs.last_problem_kind == ""
    assert CallProblem.all_tenants.filter(call=running).exists()


def test_a_transcript_entry_grows_in_place(running: Call, outbox: Outbox):
    outbox.send(said("item_1", "Hello", duration_ms=300), running)
    stored = outbox.send(
        said("item_1", "Hello there", cut_text=" friend", final=True, offset_ms=40), running
    )
    entry = TranscriptEntry.all_tenants.get(call=running)
    assert (entry.text, entry.cut_text, entry.final) == ("Hello there", " friend", True)
    assert (entry.tenant, entry.speaker, entry.offset_ms) == (running.tenant, "agent", 40)
    (group, told), (stream, streamed) = stored.notices
    assert (group, told["item_id"]) == (f"call.{running.public_id.hex}", "item_1")
    assert told["said"]["text"] == "Hello there"
    assert stream == f"stream.{running.tenant.public_id.hex}"
    assert streamed["document"]["data"]["cut_text"] == " friend"


def test_of_words_that_come_in_one_batch_the_last_state_is_stored(
    outbox: Outbox, running: Call
) -> None:
    states = [said("i", "Good"), said("other", "Yes", 2), said("i", "Good day", final=True)]
    stored = outbox.store(*[outbox.record(state, running) for state in states])
    told = [message for _group, message in stored.notices if message["type"] == "call.entry"]
    assert [message["said"]["text"] for message in told] == ["Yes", "Good day"]
    texts = TranscriptEntry.all_tenants.order_by("position").values_list("text", "final")
    assert list(texts) == [("Good day", True), ("Yes", False)]


def test_entries_stand_in_the_order_of_their_places(running: Call, outbox: Outbox):
    outbox.send(said("later", "b", position=20), running)
    outbox.send(said("sooner", "a", 10, speaker=contract.Speaker.CALLER), running)
    texts = TranscriptEntry.all_tenants.filter(call=running).values_list("text", flat=True)
    assert list(texts) == ["a", "b"]


def test_a_tool_call_runs_and_succeeds(running: Call, outbox: Outbox):
    begun = contract.ToolUpdated(
        tool_call_id="call_1",
        position=3,
        name="transfer_call",
        arguments={"target": "sales", "odd": ["a\x00b", {"c": 1}]},
        state=contract.ToolState.RUNNING,
    )
    outbox.send(begun, running)
    stored = outbox.send(
        msgspec.structs.replace(begun, state=contract.ToolState.SUCCEEDED, result="Done."), running
    )
    tool = ToolCall.all_tenants.get(call=running)
    assert (tool.state, tool.result, tool.arguments["target"]) == ("succeeded", "Done.", "sales")
    assert tool.arguments["odd"] == ["ab", {"c": 1}]
    assert stored.notices[0][1] == {"type": "call.tool", "tool_call_id": "call_1"}


def test_turns_and_usage_are_recorded(running: Call, outbox: Outbox):
    outbox.send(contract.TurnMeasured(number=1, first_audio_ms=1200, interrupted=True), running)
    outbox.send(contract.TurnMeasured(number=1, first_audio_ms=1250), running)
    turn = Turn.all_tenants.get(call=running)
    assert (turn.first_audio_ms, turn.interrupted) == (1250, False)
    for _ in range(2):
        outbox.send(contract.UsageReported(model="m", input_audio_tokens=10), running)
    assert fresh(running).usage["input_audio_tokens"] == 20
    assert fresh(running).usage["responses"] == 2
    assert fresh(running).usage["models"] == ["m"]


def test_quality_of_a_call_is_stored_once_and_what_is_not_known_stays_unknown(
    running: Call, outbox: Outbox
):
    measured = contract.CallMeasured(
        packets_received=1500, packets_lost=15, packets_discarded=3, packets_sent=1490,
        jitter_ms=2.5, jitter_max_ms=7.0, late_frames=1, underruns=2, dropped_ms=40,
        heard_ms=30_000, not_sent_ms=12_000, mos=4.1,
    )  # fmt: skip
    for _ in range(2):
        outbox.send(measured, running)
    quality = CallQuality.all_tenants.get(call=running)
    assert quality.tenant == running.tenant
    expected = {
        **{name: getattr(measured, name) for name in measured.__struct_fields__},
        "remote_lost": None,
        "round_trip_ms": None,
    }
    assert {name: getattr(quality, name) for name in expected} == expected


def test_quality_may_come_after_the_end_of_its_call(running: Call, outbox: Outbox):
    outbox.send(contract.CallEnded(cause=contract.EndCause.CALLER_HUNG_UP), running)
    outbox.send(contract.CallMeasured(mos=3.9), running)
    assert running.quality.mos == 3.9
    assert fresh(running).state == "ended"
    assert fresh(running).end_cause == "caller_hung_up"


def test_a_check_is_stored(outbox: Outbox, account: ProviderAccount):
    check = uuid.uuid4()
    ProviderAccount.all_tenants.update(check_id=check, check_state="pending")
    outbox.send(contract.AccountChecked(check_id=str(check), ok=True))
    account.refresh_from_db()
    assert account.check_state == "ok"


def test_a_call_taken_offline_gets_its_record(number: Number, outbox: Outbox):
    request = invite()
    taken = contract.CallTaken(
        request=request,
        tenant_id=str(number.tenant.public_id),
        number_id=str(number.public_id),
        agent_id=str(number.agent.public_id),
        revision=1,
    )
    outbox.send(taken, at=1_800_000_000)
    call = Call.all_tenants.get(public_id=request.call_key)
    assert (call.tenant, call.agent, call.state) == (number.tenant, number.agent, "ringing")
    assert call.revision == number.agent.published
    assert "last known plan" in call.end_detail
    outbox.send(contract.CallAnswered(), call)
    assert fresh(call).state == "running"


def test_a_call_taken_offline_that_was_admitted_after_all_is_one_call(call: Call, outbox: Outbox):
    request = invite(call_key=str(call.public_id))
    taken = contract.CallTaken(request=request, tenant_id="", number_id="", agent_id="", revision=1)
    assert outbox.send(taken).set_aside == 0
    assert Call.all_tenants.count() == 1


def test_an_offline_call_of_one_tenant_does_not_come_to_another(
    number: Number, birch: Any, outbox: Outbox
):
    taken = contract.CallTaken(
        request=invite(),
        tenant_id=str(birch.public_id),
        number_id=str(number.public_id),
        agent_id=str(number.agent.public_id),
        revision=1,
    )
    assert outbox.send(taken).set_aside == 1
    assert not Call.all_tenants.exists()


def test_a_call_that_the_worker_refused_is_recorded(number: Number, outbox: Outbox):
    reason = contract.RefusalReason.WORKER_FULL
    outbox.send(contract.CallRefused(request=invite("100"), reason=reason))
    outbox.send(contract.CallRefused(request=invite("999"), reason=reason))
    known, unknown = Call.all_tenants.order_by("pk")
    assert (known.tenant, known.state, known.sip_status) == (number.tenant, "refused", 503)
    assert (unknown.tenant, unknown.refusal_reason) == (None, "worker_full")


def test_a_call_that_was_admitted_and_then_refused_is_refused(call: Call, outbox: Outbox):
    request = invite(call_key=str(call.public_id))
    reason = contract.RefusalReason.WEB_UNREACHABLE
    outbox.send(contract.CallRefused(request=request, reason=reason))
    assert (fresh(call).state, fresh(call).refusal_reason) == ("refused", "web_unreachable")


# --- runs of a worker ----------------------------------------------------------------------------


def test_a_new_run_closes_what_earlier_runs_left(running: Call, outbox: Outbox):
    tool = contract.ToolUpdated(
        tool_call_id="t", position=1, name="hang_up", state=contract.ToolState.RUNNING
    )
    outbox.send(tool, running, at=time.time() + 3)
    stored = outbox.send(contract.WorkerStarted(boot_id="boot-2"), at=time.time() + 60)
    call = fresh(running)
    assert (call.state, call.end_cause) == ("ended", "interrupted")
    # As far as the worker told, not to the moment when it came back.
    assert 2000 <= call.duration_ms < 10_000
    assert ToolCall.all_tenants.get().state == "failed"
    assert (
        f"tenant.{call.tenant.public_id.hex}",
        {"type": "call.changed", "call": str(call.public_id)},
    ) in stored.notices


def test_a_new_run_keeps_the_calls_that_it_has_taken_itself(number: Number, outbox: Outbox):
    before = admitted(outbox.worker)
    started = time.time()
    during = admitted(outbox.worker)
    outbox.send(contract.WorkerStarted(boot_id="boot-2"), at=started)
    assert (fresh(before).state, fresh(during).state) == ("ended", "ringing")


def test_a_new_run_closes_no_call_of_another_worker(running: Call):
    other = Outbox(Worker.objects.create(name="other"))
    other.send(contract.WorkerStarted(boot_id="b"))
    assert fresh(running).state == "running"


@pytest.mark.parametrize("event", [said("i", "still here"), contract.CallAnswered()])
def test_a_call_taken_for_lost_opens_when_its_worker_speaks(
    running: Call, outbox: Outbox, event: contract.Event
):
    interrupt(running)
    stored = outbox.send(event, running)
    assert (fresh(running).state, fresh(running).end_cause) == ("running", "")
    assert any(message["type"] == "call.changed" for _group, message in stored.notices)


def test_the_workers_word_on_the_end_replaces_our_guess(running: Call, outbox: Outbox):
    interrupt(running)
    outbox.send(contract.CallEnded(cause=contract.EndCause.TRANSFERRED, duration_ms=9), running)
    assert (fresh(running).end_cause, fresh(running).duration_ms) == ("transferred", 9)


def test_the_workers_word_on_the_end_is_never_undone(running: Call, outbox: Outbox):
    outbox.send(contract.CallEnded(cause=contract.EndCause.TRANSFERRED), running)
    outbox.send(said("late", "the last words"), running)
    assert fresh(running).end_cause == "transferred"
    assert TranscriptEntry.all_tenants.filter(call=running).exists()
    assert outbox.send(contract.CallEnded(cause=contract.EndCause.MEDIA_LOST), running).set_aside
    assert fresh(running).end_cause == "transferred"


def interrupt(call: Call) -> None:
    Call.all_tenants.filter(pk=call.pk).update(
        state="ended", end_cause="interrupted", ended_at=timezone.now()
    )


# --- streams -------------------------------------------------------------------------------------


def test_a_record_sent_twice_is_stored_once(running: Call, outbox: Outbox):
    record = outbox.record(contract.UsageReported(input_text_tokens=5), running)
    assert outbox.store(record).acknowledged == 2
    again = outbox.store(record)
    assert (again.acknowledged, again.notices) == (2, [])
    assert fresh(running).usage["input_text_tokens"] == 5


def test_a_batch_that_overlaps_adds_what_is_new(running: Call, outbox: Outbox):
    first = outbox.record(contract.UsageReported(input_text_tokens=5), running)
    second = outbox.record(contract.UsageReported(input_text_tokens=7), running)
    outbox.store(first)
    assert outbox.store(first, second).acknowledged == 3
    assert fresh(running).usage["input_text_tokens"] == 12


def test_the_place_survives_a_restart(running: Call, outbox: Outbox):
    assert intake.acknowledged(worker=outbox.worker, stream=outbox.stream) == 1
    assert intake.acknowledged(worker=outbox.worker, stream=str(uuid.uuid4())) == 0


def test_streams_and_workers_do_not_mix(outbox: Outbox):
    outbox.send(contract.WorkerStarted(boot_id="a"))
    other = Outbox(Worker.objects.create(name="other"))
    other.stream = outbox.stream
    assert other.send(contract.WorkerStarted(boot_id="b")).acknowledged == 1
    assert WorkerStream.objects.count() == 2


def test_a_gap_is_passed_only_where_it_may_be(running: Call, outbox: Outbox):
    outbox.record(said("lost", "x"), running)
    after = outbox.record(said("kept", "y"), running)
    with pytest.raises(intake.MalformedBatch, match="missing"):
        outbox.store(after, may_miss=False)
    assert not TranscriptEntry.all_tenants.exists()
    assert outbox.store(after).acknowledged == 3


def test_a_batch_out_of_order_stores_nothing(running: Call, outbox: Outbox):
    first, second = outbox.record(said("a", "a"), running), outbox.record(said("b", "b"), running)
    for records in ([second, first], [first, first]):
        with pytest.raises(intake.MalformedBatch):
            outbox.store(*records)
    assert not TranscriptEntry.all_tenants.exists()


@pytest.mark.parametrize("raw", [b"{}", b"[]", b'{"seq":0}', b'{"seq":-3}', b'{"seq":"1"}', b"no"])
def test_a_record_without_a_place_stores_nothing(outbox: Outbox, raw: bytes):
    with pytest.raises(intake.MalformedBatch):
        outbox.store(raw)


def test_a_stream_is_a_uuid(outbox: Outbox):
    outbox.stream = "../etc/passwd"
    with pytest.raises(intake.MalformedBatch):
        outbox.send(contract.WorkerStarted(boot_id="a"))


def test_an_empty_batch_is_acknowledged(outbox: Outbox):
    assert outbox.store().acknowledged == 0


# --- bad records ---------------------------------------------------------------------------------

BAD = [
    ("unknown call", lambda seq: raw(seq, call_id=str(uuid.uuid4()))),
    ("no call", lambda seq: raw(seq)),
    ("no uuid", lambda seq: raw(seq, call_id="x")),
    ("unknown event", lambda seq: raw(seq, event={"event": "call.levitated", "height": 3})),
    ("no event", lambda seq: b'{"seq":%d,"at":1}' % seq),
    ("impossible time", lambda seq: raw(seq, at=1e300)),
    ("wrong type", lambda seq: raw(seq, event={"event": "call.answered", "codec": 5})),
]


def raw(seq: int, **fields: Any) -> bytes:
    return msgspec.json.encode(
        {"seq": seq, "at": 1.0, "event": {"event": "call.answered"}, **fields}
    )


@pytest.mark.parametrize(("name", "make"), BAD, ids=[name for name, _make in BAD])
def test_a_bad_record_is_kept_aside_and_holds_up_nobody(
    running: Call, outbox: Outbox, name: str, make: Any
):
    bad = make(next(outbox.numbers))
    stored = outbox.store(bad, outbox.record(said("after", "goes on"), running))
    assert (stored.acknowledged, stored.set_aside) == (3, 1)
    assert TranscriptEntry.all_tenants.get(call=running).text == "goes on"
    aside = SetAsideRecord.objects.get()
    assert (aside.seq, aside.record.encode()) == (2, bad)
    assert aside.reason
    assert Worker.objects.get().set_aside_records == 1


def test_impossible_values_are_kept_aside(running: Call, outbox: Outbox):
    for event in (
        said("i", "x", position=-1),
        said("i", "x", position=2**70),
        contract.CallEnded(cause=contract.EndCause.TRANSFERRED, duration_ms=-5),
    ):
        assert outbox.send(event, running).set_aside == 1
    assert fresh(running).state == "running"


def test_another_workers_call_is_not_touched(running: Call):
    other = Outbox(Worker.objects.create(name="other"))
    for event in (
        contract.CallEnded(cause=contract.EndCause.TRANSFERRED),
        said("i", "forged words"),
        contract.CallRefused(
            request=invite(call_key=str(running.public_id)),
            reason=contract.RefusalReason.INTERNAL_ERROR,
        ),
    ):
        assert other.send(event, running).set_aside == 1
    assert fresh(running).state == "running"
    assert not TranscriptEntry.all_tenants.exists()


def test_a_refused_call_has_no_transcript(call: Call, outbox: Outbox):
    request = invite(call_key=str(call.public_id))
    outbox.send(contract.CallRefused(request=request, reason=contract.RefusalReason.WORKER_FULL))
    assert outbox.send(said("i", "x"), call).set_aside == 1


def test_nul_and_length_do_not_stop_a_text(running: Call, outbox: Outbox):
    outbox.send(said("i\x00" + "d" * 400, "a\x00b"), running)
    entry = TranscriptEntry.all_tenants.get(call=running)
    assert (entry.text, len(entry.item_id)) == ("ab", 255)


def test_records_kept_aside_are_bounded(outbox: Outbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(intake, "SET_ASIDE_LIMIT", 2)
    for _ in range(4):
        outbox.store(raw(next(outbox.numbers)))
    assert SetAsideRecord.objects.count() == 2
    assert Worker.objects.get().set_aside_records == 4


def test_a_database_that_fails_stores_nothing_of_the_batch(
    running: Call, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    first, second = outbox.record(said("a", "a"), running), outbox.record(said("b", "b"), running)
    apply = events.apply

    def failing(worker: Worker, record: contract.Record, held: events.Calls) -> Any:
        if record.seq == 3:
            raise OperationalError("disk is full")
        return apply(worker, record, held)

    monkeypatch.setattr(events, "apply", failing)
    with pytest.raises(OperationalError):
        outbox.store(first, second)
    assert not TranscriptEntry.all_tenants.exists()
    monkeypatch.undo()
    assert outbox.store(first, second).acknowledged == 3


def test_a_fault_of_ours_does_not_hold_up_the_stream(
    running: Call, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: Any) -> Any:
        raise KeyError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(events, "apply", broken)
        assert outbox.send(said("a", "a"), running).set_aside == 1
    assert outbox.send(said("b", "b"), running).acknowledged == 3


def test_late_words_do_not_change_the_time_of_the_call(running: Call, outbox: Outbox):
    assert running.last_event_at is not None
    assert timezone.now() - running.last_event_at < timedelta(minutes=1)


# --- the log of a call ---------------------------------------------------------------------------


def test_what_a_worker_notes_stands_in_the_calls_log(worker: Worker, number: Number):
    outbox, call = Outbox(worker), admitted(worker)
    outbox.send(contract.CallNoted(kind=contract.NoteKind.DTMF, offset_ms=1200, text="5"), call)
    (event,) = CallEvent.all_tenants.filter(call=call)
    assert (event.kind, event.offset_ms, event.text, event.state) == ("dtmf", 1200, "5", "")
    assert event.tenant == call.tenant


def test_a_note_about_a_command_says_that_it_was_done_and_keeps_who_gave_it(
    worker: Worker, number: Number, alice: User
):
    outbox, call = Outbox(worker), admitted(worker)
    asked = CallEvent.all_tenants.create(
        tenant=number.tenant,
        call=call,
        kind="said",
        text="One moment, please.",
        state="asked",
        command=uuid.uuid4(),
        user=alice,
    )
    note = contract.CallNoted(
        kind=contract.NoteKind.SAID, offset_ms=900, text="other", command_id=str(asked.command)
    )
    outbox.send(note, call)
    (event,) = CallEvent.all_tenants.filter(call=call)
    assert (event.state, event.offset_ms, event.user) == ("done", 900, alice)
    assert event.text == "One moment, please."


def test_a_command_of_another_call_is_not_marked_done(worker: Worker, number: Number):
    outbox, call, other = Outbox(worker), admitted(worker), admitted(worker)
    asked = CallEvent.all_tenants.create(
        tenant=number.tenant, call=other, kind="muted", state="asked", command=uuid.uuid4()
    )
    note = contract.CallNoted(kind=contract.NoteKind.MUTED, command_id=str(asked.command))
    stored = outbox.send(note, call)
    assert stored.set_aside == 0
    asked.refresh_from_db()
    assert asked.state == "asked"
    assert CallEvent.all_tenants.get(call=call).state == ""


def test_what_was_said_on_request_names_its_command(worker: Worker, number: Number):
    outbox, call = Outbox(worker), admitted(worker)
    command = uuid.uuid4()
    outbox.send(said("i1", "One moment.", command_id=str(command)), call)
    outbox.send(said("i2", "Hello."), call)
    entries = dict(TranscriptEntry.all_tenants.filter(call=call).values_list("item_id", "command"))
    assert entries == {"i1": command, "i2": None}
    assert outbox.send(said("i3", "x", command_id="none"), call).set_aside == 1
