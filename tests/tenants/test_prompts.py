"""What an agent says first, made into speech before somebody calls; by the real sandbox."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
import wave
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import structlog
import time_machine
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from media_worker import contract
from media_worker.contract import PromptKind
from media_worker.sandbox import SandboxServer
from pbxai.celery import app
from tenants.models import Agent, AuditEntry, Number, Prompt, ProviderAccount, User, Worker
from tenants.models.choices import PromptState
from tenants.services import admission, outside, prompts, speech
from tenants.services.accounts import save_account
from tenants.services.effective import tenant_settings
from tenants.services.numbers import save_number
from tenants.services.publishing import publish
from tenants.services.tenant_settings import save_tenant_settings
from tenants.tasks import render_due_prompts, tidy_prompts
from tests.support.sandbox import SandboxThread
from tests.tenants.calls import invite

KEY = "sandbox-key-0001"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxThread() as server:
        yield server


@pytest.fixture(autouse=True)
def _jobs_here() -> Iterator[None]:
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def spoken(account: ProviderAccount, sandbox: SandboxServer) -> ProviderAccount:
    """Acme's account, at the sandbox that runs."""
    return at(account, sandbox.url)


def at(account: ProviderAccount, url: str) -> ProviderAccount:
    ProviderAccount.all_tenants.filter(pk=account.pk).update(url=url)
    account.url = url
    return account


def row() -> Prompt:
    return Prompt.all_tenants.get()


def made() -> Prompt:
    """The one prompt there is, after its job."""
    prompts.render(row().pk)
    return row()


def plan_of(worker: Worker, called: str = "100") -> contract.CallPlan:
    plan = admission.admit(worker=worker, request=invite(called))
    assert isinstance(plan, contract.CallPlan)
    return plan


# --- what is rendered ----------------------------------------------------------------------------


def test_publishing_has_the_greeting_rendered(
    spoken: ProviderAccount, published: Agent, sandbox: SandboxServer
):
    assert (row().state, row().text, row().voice) == (
        PromptState.WAITING,
        "Hello, Acme Dental.",
        "marin",
    )
    render_due_prompts()
    prompt = row()
    assert (prompt.state, prompt.error, prompt.attempts) == (PromptState.READY, "", 1)
    with prompt.file.open() as file:
        wav = file.read()
    assert prompt.digest == hashlib.sha256(wav).hexdigest()
    with wave.open(io.BytesIO(wav)) as sound:
        assert sound.getparams()[:3] == (1, 2, 24000)
        pcm = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
        assert prompt.duration_ms == sound.getnframes() // 24
    assert 800 < prompt.duration_ms < 5000
    assert np.abs(pcm).max() > 3000
    asked = sandbox.speech_requests[-1]
    assert (asked["input"], asked["voice"], asked["speed"]) == ("Hello, Acme Dental.", "marin", 1.0)
    assert 'language "en"' in asked["instructions"]


def test_it_is_rendered_once(
    spoken: ProviderAccount, published: Agent, alice: User, sandbox: SandboxServer
):
    before = len(sandbox.speech_requests)
    render_due_prompts()
    publish(agent=published, user=alice)
    render_due_prompts()
    prompts.render(row().pk)
    assert len(sandbox.speech_requests) == before + 1


def test_what_is_said_differently_is_rendered_anew(
    spoken: ProviderAccount, published: Agent, alice: User
):
    for changed in ({"voice": "cedar"}, {"speed": 1.2}, {"greetings": {"en": "Good day."}}):
        for name, value in changed.items():
            setattr(published, name, value)
        published.save()
        publish(agent=published, user=alice)
    said = [(prompt.voice, prompt.speed, prompt.text) for prompt in Prompt.all_tenants.all()]
    assert said[::-1] == [
        ("marin", 1.0, "Hello, Acme Dental."),
        ("cedar", 1.0, "Hello, Acme Dental."),
        ("cedar", 1.2, "Hello, Acme Dental."),
        ("cedar", 1.2, "Good day."),
    ]


def test_a_tenants_change_reaches_its_agents(published: Agent, alice: User):
    settings = tenant_settings(published.tenant)
    settings.voice = "ash"
    save_tenant_settings(row=settings, user=alice)
    assert {prompt.voice for prompt in Prompt.all_tenants.all()} == {"marin", "ash"}


def test_a_numbers_language_is_greeted_in(published: Agent, number: Number, alice: User):
    settings = tenant_settings(published.tenant)
    settings.greetings = {"de": "Guten Tag, Praxis Acme."}
    save_tenant_settings(row=settings, user=alice)
    assert Prompt.all_tenants.count() == 1, "nobody is called in German"
    number.language = "de"
    save_number(number=number, user=alice)
    assert {prompt.language for prompt in Prompt.all_tenants.all()} == {"en", "de"}


def test_the_announcement_of_a_recording_is_rendered_too(published: Agent, alice: User):
    settings = tenant_settings(published.tenant)
    settings.consents = {"en": "This call is recorded."}
    save_tenant_settings(row=settings, user=alice)
    assert Prompt.all_tenants.count() == 1, "nothing is recorded"
    settings.record = True
    save_tenant_settings(row=settings, user=alice)
    assert {prompt.text for prompt in Prompt.all_tenants.all()} == {
        "Hello, Acme Dental.",
        "This call is recorded.",
    }


def test_an_agent_that_greets_nobody_needs_none(agent: Agent, alice: User):
    agent.greetings = {"en": ""}
    agent.save()
    publish(agent=agent, user=alice)
    assert not Prompt.all_tenants.exists()


# --- calls ---------------------------------------------------------------------------------------


def test_a_plan_carries_the_prompts_that_are_ready(
    spoken: ProviderAccount, number: Number, worker: Worker
):
    assert plan_of(worker).prompts == ()
    prompt = made()
    [carried] = plan_of(worker).prompts
    assert carried == contract.Prompt(
        kind=PromptKind.GREETING,
        language="en",
        text="Hello, Acme Dental.",
        digest=prompt.digest,
        duration_ms=prompt.duration_ms,
    )


def test_calls_order_what_is_missing_once(spoken: ProviderAccount, number: Number, worker: Worker):
    Prompt.all_tenants.all().delete()
    for _ in range(3):
        plan_of(worker)
    [pk] = prompts.take_due()
    assert prompts.take_due() == [], "somebody is at it"
    plan_of(worker)
    assert prompts.take_due() == []
    with time_machine.travel(timezone.now() + prompts.LEASE + timedelta(seconds=1)):
        assert prompts.take_due() == [pk], "that job was lost"


def test_another_tenants_prompt_is_not_used(
    spoken: ProviderAccount, number: Number, worker: Worker, birch: Any
):
    made()
    Prompt.all_tenants.update(tenant=birch)
    assert plan_of(worker).prompts == ()


def test_a_retry_of_an_admission_gets_the_same_prompts(
    spoken: ProviderAccount, number: Number, worker: Worker
):
    made()
    request = invite()
    first = admission.admit(worker=worker, request=request)
    assert admission.admit(worker=worker, request=request) == first


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/v1/realtime?misbehave=refuse_key", speech.KEY_REFUSED),
        ("/v1/realtime?misbehave=quota", speech.NO_CREDIT),
        ("/v1/realtime?misbehave=rate_limit", speech.RATE_LIMIT),
        ("/v1/realtime?misbehave=garbage", speech.NO_SOUND),
        ("/v1/realtime?misbehave=no_speech_api", speech.NO_API),
        ("/somewhere/else", speech.NO_API),
    ],
)
def test_why_there_is_none_is_said(
    account: ProviderAccount, published: Agent, sandbox: SandboxServer, path: str, reason: str
):
    at(account, sandbox.url.replace("/v1/realtime", path))
    with structlog.testing.capture_logs() as lines:
        prompt = made()
    assert (prompt.state, prompt.error.split("\n")[0]) == (PromptState.FAILED, reason)
    assert (prompt.digest, prompt.file.name) == ("", "")
    assert KEY not in f"{prompt.error} {lines}"


def test_a_voice_that_only_the_realtime_api_knows(
    spoken: ProviderAccount, agent: Agent, number: Number, worker: Worker, alice: User
):
    agent.voice = "juniper"
    agent.save()
    publish(agent=agent, user=alice)
    for pk in prompts.take_due():
        prompts.render(pk)
    prompt = Prompt.all_tenants.get(voice="juniper")
    assert prompt.error.split("\n")[0] == speech.NO_VOICE
    plan = plan_of(worker)
    assert plan.greeting is not None, "the provider says it live"
    assert plan.prompts == ()


def test_nobody_there(account: ProviderAccount, published: Agent):
    at(account, "ws://127.0.0.1:9/v1/realtime")
    assert made().error.split("\n") == [speech.UNREACHABLE, "ConnectError"]


def test_a_tenants_provider_inside_of_our_network_is_not_asked(
    account: ProviderAccount, published: Agent, provider: Callable[..., str], settings: Any
):
    settings.ALLOWED_NETWORKS = []
    at(account, provider(200))
    reason, detail = made().error.split("\n")
    assert (reason, "not a public address" in detail) == (speech.UNREACHABLE, True)
    assert Handler.asked == []


def test_a_tenants_provider_is_asked_where_its_name_was_found(
    account: ProviderAccount,
    published: Agent,
    provider: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(outside, "resolve", lambda host, _port: "127.0.0.1")
    url = at(account, provider(500).replace("127.0.0.1", "voice.example")).url
    assert made().error.split("\n")[0] == speech.FAILED
    assert [headers["host"] for _, headers in Handler.asked] == [url.split("/")[2]]


class Handler(http.server.BaseHTTPRequestHandler):
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")
    asked: list[tuple[str, dict[str, str]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        status, headers, body = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """A provider that answers as it is told; gives its address."""
    monkeypatch.setattr(Handler, "asked", [])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def answer(status: int, body: bytes = b"", **headers: str) -> str:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            monkeypatch.setattr(Handler, "answer", (status, named, body))
            return f"ws://127.0.0.1:{server.server_address[1]}/v1/realtime"

        yield answer
        server.shutdown()
        thread.join()


def test_a_redirect_is_not_followed(
    account: ProviderAccount, published: Agent, provider: Callable[..., str]
):
    at(account, provider(302, Location="http://127.0.0.1:9/elsewhere"))
    assert made().error.split("\n")[0] == speech.NO_API
    assert [path for path, _ in Handler.asked] == ["/v1/audio/speech"]


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (200, b"\x00\x01" * 100, "audio/mpeg", speech.NO_SOUND),
        (200, b"ID3\x04" + b"\x01" * 100, "audio/pcm", speech.NO_SOUND),
        (200, b"", "audio/pcm", speech.NO_SOUND),
        (200, bytes(4800), "audio/pcm", speech.NO_SOUND),
        (200, b"RIFF....WAVEwhat", "audio/wav", speech.NO_SOUND),
        (404, b'{"error":{"code":"model_not_found"}}', "application/json", speech.NO_MODEL),
        (404, b"<html>", "text/html", speech.NO_API),
        (500, b"sorry", "text/plain", speech.FAILED),
    ],
)
def test_answers_that_are_no_speech(
    account: ProviderAccount,
    published: Agent,
    provider: Callable[..., str],
    status: int,
    body: bytes,
    kind: str,
    reason: str,
):
    at(account, provider(status, body, Content_Type=kind))
    assert made().error.split("\n")[0] == reason


def test_an_endless_answer_is_cut_off(
    account: ProviderAccount,
    published: Agent,
    provider: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(speech, "MAX_BYTES", 10_000)
    at(account, provider(200, b"\x01" * 20_000, Content_Type="audio/pcm"))
    assert made().state == PromptState.FAILED


def test_the_key_is_not_in_what_a_provider_echoes(
    account: ProviderAccount, published: Agent, provider: Callable[..., str]
):
    at(account, provider(401, b'{"error":{"message":"Bad key: %s."}}' % KEY.encode()))
    assert made().error == f"{speech.KEY_REFUSED}\nBad key: ***."


def test_azure_gets_the_key_in_its_own_header(
    account: ProviderAccount, published: Agent, provider: Callable[..., str]
):
    address = provider(200, b"\x00\x10" * 2400, Content_Type="audio/pcm")
    at(account, address.replace("/v1/", "/openai/v1/"))
    ProviderAccount.all_tenants.update(auth="api-key")
    assert made().state == PromptState.READY
    [(path, headers)] = Handler.asked
    assert path == "/openai/v1/audio/speech"
    assert headers["api-key"] == KEY
    assert "authorization" not in headers


def test_silence_around_the_words_is_left_out(
    account: ProviderAccount, published: Agent, provider: Callable[..., str]
):
    words = b"\x00\x10" * 24000
    hum = b"\x10\x00" * 12000
    at(account, provider(200, hum + words + hum * 2, Content_Type="audio/pcm"))
    assert made().duration_ms == speech.LEAD_MS + 1000 + speech.TAIL_MS


def test_a_wav_that_was_not_asked_for_is_taken_at_its_rate(
    account: ProviderAccount, published: Agent, provider: Callable[..., str]
):
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\x00\x10" * 16000)
    at(account, provider(200, sound.getvalue(), Content_Type="audio/wav"))
    assert made().duration_ms == 1000


@pytest.mark.parametrize(
    ("realtime", "expected"),
    [
        ("wss://api.openai.com/v1/realtime", "https://api.openai.com/v1/audio/speech"),
        ("wss://x.example/v1/realtime/?a=b", "https://x.example/v1/audio/speech?a=b"),
        (
            "wss://r.openai.azure.com/openai/v1/realtime",
            "https://r.openai.azure.com/openai/v1/audio/speech",
        ),
        (
            "wss://r.openai.azure.com/openai/realtime?api-version=1&deployment=d",
            "https://r.openai.azure.com/openai/v1/audio/speech",
        ),
        ("ws://127.0.0.1:8090/v1/realtime", "http://127.0.0.1:8090/v1/audio/speech"),
    ],
)
def test_where_the_speech_api_is(realtime: str, expected: str):
    assert speech.speech_url(realtime) == expected


# --- again ---------------------------------------------------------------------------------------


def test_what_failed_is_tried_again_later_and_later(account: ProviderAccount, published: Agent):
    at(account, "ws://127.0.0.1:9/v1/realtime")
    for attempt in range(7):
        pause = prompts.AFTER_FAILURE[min(attempt, len(prompts.AFTER_FAILURE) - 1)]
        [pk] = prompts.take_due()
        prompts.render(pk)
        assert row().attempts == attempt + 1
        began = row().tried_at
        with time_machine.travel(began + pause - timedelta(seconds=1), tick=False):
            assert prompts.take_due() == []
        traveller = time_machine.travel(began + pause + timedelta(seconds=1), tick=False)
        traveller.start()
        try:
            assert prompts.take_due() == [pk]
        finally:
            traveller.stop()
        Prompt.all_tenants.update(state=PromptState.WAITING, tried_at=None)


def test_a_rate_limit_that_is_over_ends_well(
    account: ProviderAccount, published: Agent, sandbox: SandboxServer
):
    at(account, f"{sandbox.url}?misbehave=rate_limit")
    assert made().state == PromptState.FAILED
    at(account, sandbox.url)
    Prompt.all_tenants.update(tried_at=timezone.now() - timedelta(minutes=1))
    render_due_prompts()
    assert (row().state, row().error) == (PromptState.READY, "")


def test_what_fails_again_and_again_does_not_hold_up_what_is_new(
    account: ProviderAccount, published: Agent
):
    new = row()
    long_ago = timezone.now() - timedelta(days=1)
    Prompt.all_tenants.bulk_create(
        Prompt(
            tenant=account.tenant,
            account=account,
            voice=new.voice,
            language="en",
            text=f"Hello {number}",
            text_digest=f"{number:064}",
            state=PromptState.FAILED,
            attempts=9,
            tried_at=long_ago,
        )
        for number in range(2 * prompts.AT_ONCE)
    )
    Prompt.all_tenants.exclude(pk=new.pk).update(created_at=long_ago)
    assert prompts.take_due()[0] == new.pk


def test_a_new_key_is_tried_at_once(
    spoken: ProviderAccount, published: Agent, alice: User, sandbox: SandboxServer
):
    spoken.set_secret("sk-wrong")
    spoken.save()
    assert made().state == PromptState.FAILED
    assert prompts.take_due() == []
    save_account(account=spoken, user=alice, secret="sandbox-right")
    render_due_prompts()
    assert row().state == PromptState.READY


# --- files ---------------------------------------------------------------------------------------


def test_what_nobody_needs_is_deleted_with_its_file(spoken: ProviderAccount, published: Agent):
    name = made().file.name
    assert default_storage.exists(name)
    later = timezone.now() + timedelta(days=prompts.KEPT_DAYS + 1)
    with time_machine.travel(later):
        tidy_prompts()
        assert row().file.name == name, "the agent says it still"
    with time_machine.travel(later + timedelta(days=prompts.KEPT_DAYS + 1)):
        type(published.tenant).objects.update(is_active=False)
        tidy_prompts()
        assert not Prompt.all_tenants.exists()
    assert not default_storage.exists(name)


def test_calls_keep_a_prompt(spoken: ProviderAccount, number: Number, worker: Worker):
    made()
    Prompt.all_tenants.update(used_at=timezone.now() - timedelta(days=29))
    plan_of(worker)
    assert row().used_at > timezone.now() - timedelta(minutes=1)


def test_a_file_that_was_lost_is_made_anew(
    spoken: ProviderAccount, published: Agent, number: Number, worker: Worker
):
    prompt = made()
    default_storage.delete(prompt.file.name)
    assert prompts.file_of(prompt.digest) is None
    assert plan_of(worker).prompts == ()
    render_due_prompts()
    assert prompts.file_of(row().digest)


# --- workers -------------------------------------------------------------------------------------


def get(client: Client, token: str, digest: str) -> Any:
    path = contract.PROMPT_PATH.format(digest=digest)
    return client.get(path, headers={"Authorization": f"Bearer {token}"})


def test_a_worker_gets_a_prompt_by_its_digest(
    spoken: ProviderAccount, published: Agent, worker_and_token: tuple[Worker, str], client: Client
):
    prompt = made()
    answer = get(client, worker_and_token[1], prompt.digest)
    assert (answer.status_code, answer["Content-Type"]) == (200, "audio/wav")
    assert hashlib.sha256(answer.content).hexdigest() == prompt.digest


def test_a_worker_gets_nothing_else(
    spoken: ProviderAccount, published: Agent, worker_and_token: tuple[Worker, str], client: Client
):
    token = worker_and_token[1]
    digest = made().digest
    for wrong in ("0" * 64, "..", "x", digest[:-1]):
        assert get(client, token, wrong).status_code == 404
    assert get(client, "pbxai_wrong", digest).status_code == 401
    path = contract.PROMPT_PATH.format(digest=digest)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.post(path, headers=headers).status_code == 405


def test_listening_is_on_record(spoken: ProviderAccount, published: Agent, alice: User):
    assert prompts.listen(made(), user=alice)
    entry = AuditEntry.all_tenants.filter(action="prompt.listen").get()
    assert (entry.user, entry.tenant) == (alice, published.tenant)
