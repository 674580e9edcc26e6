"""What people ask of a call: asked, told to the worker, done or failed; and the draining of one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from media_worker import contract
from tenants.models import AuditEntry, Call, CallEvent, Number, User, Worker
from tenants.models.choices import CommandState, ListenIn, NoteKind
from tenants.services import call_log, commands, events, workers
from tenants.services.calls import CallIsOver
from tests.tenants.calls import admitted

pytestmark = pytest.mark.django_db
KNOWN = ["call.say", "call.mute", "call.transfer", "listen.start", "listen.stop", "worker.drain"]


@pytest.fixture
def call(worker: Worker, number: Number) -> Call:
    """It rings at a worker that knows every command."""
    Worker.objects.update(connected=True, commands=KNOWN)
    return admitted(worker)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Frames for workers."""
    frames: list[Any] = []

    def keep(worker: Worker, frame: Any) -> Any:
        frames.append(frame)
        return "worker", {"type": "worker.command", "frame": ""}

    monkeypatch.setattr("tenants.services.live.command", keep)
    return frames


def ask(name: str, call: Call, user: User) -> CallEvent:
    asked: dict[str, Callable[[], CallEvent]] = {
        "say": lambda: commands.say(call=call, user=user, text=" One  moment "),
        "mute": lambda: commands.mute(call=call, user=user, muted=True),
        "transfer": lambda: commands.transfer(call=call, user=user, uri="tel:+4930", name="x"),
        "hang_up": lambda: commands.hang_up(call=call, user=user),
    }
    return asked[name]()


@pytest.mark.parametrize(
    ("name", "kind", "text", "frame"),
    [
        ("say", "said", "One moment", contract.SayText),
        ("mute", "muted", "", contract.MuteAgent),
        ("transfer", "transfer_asked", "x (tel:+4930)", contract.TransferCall),
        ("hang_up", "hang_up_asked", "", contract.HangUpCall),
    ],
)
def test_a_wish_is_kept_told_and_audited(
    name: str, kind: str, text: str, frame: Any, call: Call, erin: User, sent: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    event = ask(name, call, erin)
    assert (event.kind, event.text, event.state, event.user) == (kind, text, "asked", erin)
    (told,) = sent
    assert isinstance(told, frame)
    assert (told.command_id, told.call_id) == (str(event.command), str(call.public_id))
    entry = AuditEntry.all_tenants.get(action=f"call.{name}")
    assert (entry.tenant, entry.user) == (call.tenant, erin)


def test_what_was_asked_becomes_done_or_says_why_not(
    call: Call, worker: Worker, erin: User, sent: list[Any]
) -> None:
    done, failed = ask("mute", call, erin), ask("say", call, erin)
    for event, ok in ((done, True), (failed, False)):
        key = str(event.command)
        assert commands.finished(worker=worker, command_id=key, ok=ok, detail="Not now.")
        event.refresh_from_db()
    assert (done.state, done.text) == (CommandState.DONE, "")
    assert (failed.state, failed.text) == (CommandState.FAILED, "Not now.")
    key = str(done.command)
    assert commands.finished(worker=worker, command_id=key, ok=False, detail="Again.") == []


def test_another_worker_has_no_say(call: Call, erin: User, sent: list[Any]) -> None:
    other, _token = workers.create_worker(name="other")
    event = ask("mute", call, erin)
    key = str(event.command)
    assert commands.finished(worker=other, command_id=key, ok=True, detail="") == []
    event.refresh_from_db()
    assert event.state == CommandState.ASKED


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 501])
def test_what_cannot_be_said_is_refused(text: str, call: Call, erin: User) -> None:
    with pytest.raises(ValidationError):
        commands.say(call=call, user=erin, text=text)
    assert not CallEvent.all_tenants.exists()


@pytest.mark.parametrize("uri", ["", "sales", "http://example.com", "sip:a b@c", 'sip:"a@b'])
def test_an_address_that_no_telephone_knows_is_refused(uri: str, call: Call, erin: User) -> None:
    with pytest.raises(ValidationError):
        commands.transfer(call=call, user=erin, uri=uri)


@pytest.mark.parametrize("name", ["say", "mute", "transfer"])
def test_a_worker_that_does_not_know_the_command_is_not_told(
    name: str, call: Call, erin: User, sent: list[Any]
) -> None:
    Worker.objects.update(commands=[])
    with pytest.raises(commands.WorkerTooOld):
        ask(name, call, erin)
    assert (sent, CallEvent.all_tenants.count()) == ([], 0)
    assert ask("hang_up", call, erin), "which every build knows"


@pytest.mark.parametrize("name", ["say", "mute", "transfer", "hang_up"])
def test_nothing_is_asked_of_a_call_that_cannot_hear(name: str, call: Call, erin: User) -> None:
    Worker.objects.update(connected=False)
    with pytest.raises(CallIsOver):
        ask(name, call, erin)
    Worker.objects.update(connected=True)
    Call.all_tenants.update(state="ended", ended_at=call.started_at, end_cause="caller_hung_up")
    with pytest.raises(CallIsOver):
        ask(name, call, erin)


def test_what_was_not_done_before_the_end_will_not_be(
    call: Call, worker: Worker, erin: User, sent: list[Any]
) -> None:
    said, ended = ask("say", call, erin), ask("hang_up", call, erin)
    event = contract.CallEnded(cause=contract.EndCause.OPERATOR_HUNG_UP, duration_ms=1000)
    record = contract.Record(seq=1, at=1.8e9, call_id=str(call.public_id), event=event)
    events.apply(worker, record, {})
    said.refresh_from_db()
    ended.refresh_from_db()
    assert (said.state, said.text) == ("failed", call_log.OVER_FIRST)
    assert ended.state == "done"


# --- listening -----------------------------------------------------------------------------------


def listen(call: Call, user: User) -> CallEvent:
    return commands.listen(call=call, user=user, listen_id=uuid.uuid4())


def test_nobody_listens_unless_the_tenant_lets_them(call: Call, bob: User) -> None:
    with pytest.raises(commands.NotAllowed):
        listen(call, bob)
    assert not CallEvent.all_tenants.exists()


def test_who_listened_and_how_long_is_kept_once(
    call: Call, worker: Worker, bob: User, sent: list[Any]
) -> None:
    call.tenant.listen_in = ListenIn.ADMINS
    call.tenant.save()
    began = listen(call, bob)
    assert isinstance(sent[-1], contract.StartListening)
    assert sent[-1].listen_id == str(began.command)
    note = contract.CallNoted(
        kind=contract.NoteKind.LISTEN_BEGAN, offset_ms=5000, command_id=str(began.command)
    )
    call_log.note(call, note, command=began.command, at=began.at)
    began.refresh_from_db()
    assert (began.state, began.user) == ("done", bob)
    assert call_log.listening(call) == [began]

    over = contract.CallNoted(
        kind=contract.NoteKind.LISTEN_ENDED, offset_ms=72_000, command_id=str(began.command)
    )
    call_log.note(call, over, command=began.command, at=began.at)
    commands.stop_listening(listen=began)
    assert isinstance(sent[-1], contract.StopListening)
    ended = CallEvent.all_tenants.get(kind=NoteKind.LISTEN_ENDED)
    assert (ended.text, ended.user) == ("1:07", bob)
    assert call_log.listening(call) == []


def test_only_so_many_listen_at_once(call: Call, bob: User, sent: list[Any]) -> None:
    call.tenant.listen_in = ListenIn.ADMINS
    call.tenant.save()
    for _listener in range(commands.LISTENERS):
        listen(call, bob)
    with pytest.raises(ValidationError):
        listen(call, bob)


# --- workers -------------------------------------------------------------------------------------


def test_a_worker_is_drained_and_resumed(call: Call, olga: User, sent: list[Any]) -> None:
    worker = Worker.objects.get()
    for draining, action in ((True, "worker.drain"), (False, "worker.resume")):
        commands.drain(worker=worker, user=olga, draining=draining)
        assert (sent[-1].draining, Worker.objects.get().drain_wanted) == (draining, draining)
        entry = AuditEntry.all_tenants.get(action=action)
        assert entry.changes == {"drain_wanted": [not draining, draining]}
