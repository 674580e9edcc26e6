"""What the API gives out: calls, transcripts, pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync

from tenants.models import (
    Agent,
    AuditEntry,
    Call,
    CallProblem,
    CallQuality,
    CallUsage,
    Number,
    Tenant,
    User,
)
from tenants.services import search
from tests.api.conftest import Api, problem_of


def test_a_call_with_all_that_is_known_of_it(api: Api, call: Call, number: Number):
    found = api.get(f"/calls/{call.public_id}").json()
    assert found["from"] == "+4930123456"
    assert found["number"] == str(number.public_id)
    assert found["revision"] == 1
    assert found["end_cause"] == "transferred"
    assert found["cost"] is None
    assert [turn["first_packet_ms"] for turn in found["turns"]] == [300, 6780]
    assert found["has_recording"] is False
    assert found["started_at"].endswith("Z")
    assert (found["quality"], found["problems"], found["usage"]) == (None, [], [])


def test_the_line_the_use_and_the_trouble_of_a_call(api: Api, call: Call, acme: Tenant):
    CallQuality.all_tenants.create(tenant=acme, call=call, packets_received=3000, mos=4.3)
    CallProblem.all_tenants.create(tenant=acme, call=call, kind="rate_limit", code="slow_down")
    CallUsage.all_tenants.create(
        tenant=acme, call=call, kind="response", model="gpt-realtime-2.1", output_audio_tokens=480
    )
    Call.all_tenants.update(settings_used={"voice": {"value": "marin", "level": "agent"}})
    found = api.get(f"/calls/{call.public_id}").json()
    assert (found["quality"]["packets_received"], found["quality"]["mos"]) == (3000, 4.3)
    assert found["problems"][0]["code"] == "slow_down"
    assert (found["usage"][0]["output_audio_tokens"], found["usage"][0]["cost"]) == (480, None)
    assert found["settings"] == {"voice": {"value": "marin", "level": "agent"}}


def test_words_that_were_said_are_found_and_shown(api: Api, call: Call, make_call: Any):
    make_call()
    search.index(call)
    (found,) = api.get("/calls?text=sales").json()["items"]
    assert found["id"] == str(call.public_id)
    assert "sales" in found["snippet"]
    assert api.get("/calls").json()["items"][0]["snippet"] is None


def test_calls_as_a_table(api: Api, call: Call, make_call: Callable[..., Call]):
    make_call(calling="100")
    search.index(call)

    def lines(query: str) -> list[str]:
        answer = api.get(f"/calls/export{query}")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        return sound_of(answer).decode("utf-8-sig").splitlines()

    assert len(lines("")) == 3
    assert lines("")[0].startswith("id,kind,started_at")
    assert [line.split(",")[0] for line in lines("?text=sales")[1:]] == [str(call.public_id)]
    assert len(lines("?tag=nowhere")) == 1
    problem_of(api.get("/calls/export?since=17"), 400, "invalid")
    entry = AuditEntry.all_tenants.filter(action="calls.export").latest("pk")
    assert (entry.via, entry.detail["filter"]) == ("api", {"tag": "nowhere"})


def test_what_was_said_and_done(api: Api, call: Call):
    found = api.get(f"/calls/{call.public_id}/transcript").json()
    assert [entry["speaker"] for entry in found["entries"]] == ["agent", "caller", "agent"]
    assert found["entries"][2]["cut_text"] == "you to sales now."
    assert found["tools"][0]["arguments"] == {"target": "sales"}


def test_a_call_of_another_tenant_is_not_there(
    api_of: Callable[..., Api], charlie: User, birch: Tenant, call: Call
):
    other = api_of(charlie, birch)
    problem_of(other.get(f"/calls/{call.public_id}"), 404)
    problem_of(other.get(f"/calls/{call.public_id}/transcript"), 404)
    assert other.get("/calls").json() == {"items": [], "next_cursor": None}


def test_a_list_goes_on_where_it_ended(api: Api, make_call: Callable[..., Call]):
    same_time = make_call().started_at
    for minute in range(6):
        # Two of them began in the same moment.
        make_call(started_at=same_time - timedelta(minutes=minute // 2))
    seen: list[str] = []
    address = "/calls?limit=2"
    while address:
        page = api.get(address).json()
        assert len(page["items"]) <= 2
        seen += [call["id"] for call in page["items"]]
        cursor = page["next_cursor"]
        address = f"/calls?limit=2&cursor={cursor}" if cursor else ""
    wanted = Call.all_tenants.order_by("-started_at", "-pk").values_list("public_id", flat=True)
    assert seen == [str(public_id) for public_id in wanted]


def test_a_cursor_that_is_none_of_ours(api: Api):
    for cursor in ("abc", "WyJhIiwgMV0=", "WzEsIDJd", "bnVsbA==", "====="):
        document = problem_of(api.get(f"/calls?cursor={cursor}"), 422, "refused")
        assert document["errors"][0]["parameter"] == "cursor"


def test_calls_by_time_agent_caller_and_state(
    api: Api, make_call: Callable[..., Call], published: Agent
):
    old = make_call(calling="100", started_at=make_call().started_at - timedelta(days=2))
    running = make_call(state="running")

    def found(query: str) -> set[str]:
        return {call["id"] for call in api.get(f"/calls?{query}").json()["items"]}

    border = (old.started_at + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert found("caller=100") == {str(old.public_id)}
    assert found(f"until={border}") == {str(old.public_id)}
    assert str(old.public_id) not in found(f"since={border}")
    assert found("outcome=running") == {str(running.public_id)}
    assert len(found(f"agent={published.public_id}")) == 3
    assert found("agent=00000000-0000-4000-8000-000000000000") == set()


def test_a_time_without_a_zone_is_refused(api: Api):
    for text in ("2026-11-22", "2026-11-22T10:00:00", "1700000000", "2026-02-30T10:00:00Z"):
        document = problem_of(api.get(f"/calls?since={text}"), 400, "invalid")
        assert document["errors"][0]["parameter"] == "since"


def test_a_list_takes_few_queries(
    api: Api, make_call: Callable[..., Call], django_assert_max_num_queries: Any
):
    for _ in range(5):
        make_call()
    with django_assert_max_num_queries(12):
        assert len(api.get("/calls").json()["items"]) == 5


# --- sound, usage, audit, tokens -----------------------------------------------------------------


def sound_of(answer: Any) -> bytes:
    async def collect() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(collect)()


def test_a_recording_whole_in_part_and_gone(
    api: Api, call: Call, keep_recording: Callable[..., Any]
):
    kept = keep_recording(call)
    path = f"/calls/{call.public_id}/recording"
    whole = api.get(path)
    assert whole.headers["Content-Type"] == "audio/ogg"
    data = sound_of(whole)
    assert len(data) == kept.size == int(whole.headers["Content-Length"])
    part = api.get(path, Range="bytes=4-9")
    assert (part.status_code, sound_of(part)) == (206, data[4:10])
    assert part.headers["Content-Range"] == f"bytes 4-9/{kept.size}"
    peaks = api.get(f"{path}/peaks").json()
    assert bytes(peaks["caller"] + peaks["agent"]) == bytes(kept.peaks)
    assert api.delete(path).status_code == 204
    problem_of(api.get(path), 404)
    problem_of(api.delete(path), 404)


def test_an_editor_may_not_delete_a_recording(
    api_of: Callable[..., Api],
    erin: User,
    acme: Tenant,
    call: Call,
    keep_recording: Callable[..., Any],
):
    keep_recording(call)
    editor = api_of(erin, acme, "calls:write")
    problem_of(editor.delete(f"/calls/{call.public_id}/recording"), 403)
    assert api_of(erin, acme, "calls:read").get(f"/calls/{call.public_id}/recording").status_code


def test_usage_sums_up_the_calls(api: Api, call: Call):
    found = api.get("/usage").json()
    assert found["total"]["calls"] == 1
    assert found["by_day"][-1]["sums"]["answered"] == 1
    assert found["by_agent"][0]["id"] == str(call.agent.public_id)
    assert found["by_kind"][0]["kind"] == "phone"
    assert (found["waits"][-1]["up_to_ms"], found["spent_this_month"]) == (None, {})
    problem_of(api.get("/usage?since=2020-01-01"), 422, "refused")
    problem_of(api.get("/usage?since=17"), 400, "invalid")


def test_the_audit_log_says_who_and_how(api: Api):
    api.patch("/settings", {"voice": "cedar"})
    found = api.get("/audit?action=settings.edit").json()["items"]
    assert [entry["changes"]["voice"] for entry in found] == [[None, "cedar"]]
    assert (found[0]["via"], found[0]["who"]) == ("api", "test · alice@acme.example")
    for query, count in (
        ("noun=settings", 1),
        ("noun=setting", 0),
        ("noun=settings&user=ALICE@acme.example", 1),
        ("noun=settings&user=bob@acme.example", 0),
        ("noun=settings&until=2020-01-01T00:00:00Z", 0),
        ("noun=settings&since=2020-01-01T00:00:00Z", 1),
    ):
        assert len(api.get(f"/audit?{query}").json()["items"]) == count, query


def test_a_token_is_shown_once_and_may_not_outgrow_its_maker(
    api: Api, api_of: Callable[..., Api], alice: User, acme: Tenant
):
    body = {"name": "Export", "scopes": ["calls:read"]}
    made = api.post("/tokens", body, Idempotency_Key="k").json()
    assert Api(made["token"]).get("/calls").status_code == 200
    again = api.post("/tokens", body, Idempotency_Key="k").json()
    assert (again["id"], again["token"]) == (made["id"], None)
    assert made["token"] not in api.get("/tokens").content.decode()
    small = api_of(alice, acme, "settings:write")
    problem_of(small.post("/tokens", body), 403, "scope")
    assert api.delete(f"/tokens/{made['id']}").status_code == 204
    problem_of(Api(made["token"]).get("/calls"), 401)


# --- commands ------------------------------------------------------------------------------------


def test_a_running_call_is_asked_for_things(api: Api, running: Call):
    running.worker.connected = True
    running.worker.commands = ["call.say", "call.mute", "call.transfer"]
    running.worker.save()
    path = f"/calls/{running.public_id}"
    for name, body in (
        ("say", {"text": "One moment."}),
        ("mute", {"muted": True}),
        ("transfer", {"uri": "sip:sales@pbx.example.com"}),
        ("hang-up", None),
    ):
        answer = api.post(f"{path}/{name}", body)
        assert (answer.status_code, answer.json()["state"]) == (202, "asked"), answer.content
    kinds = {event["kind"] for event in api.get(f"{path}/events").json()["items"]}
    assert kinds == {"said", "muted", "transfer_asked", "hang_up_asked"}
    running.worker.commands = []
    running.worker.save()
    problem_of(api.post(f"{path}/say", {"text": "Hello."}), 409, "worker-old")


def test_a_call_that_is_over_hears_nothing(api: Api, call: Call):
    problem_of(api.post(f"/calls/{call.public_id}/hang-up"), 409, "call-over")
    problem_of(api.post(f"/calls/{call.public_id}/say", {"text": "Hello."}), 409, "call-over")
