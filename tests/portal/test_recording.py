"""The recording on a call's page: its states, its sound in parts, its deletion."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.files.storage import default_storage
from django.test import AsyncClient, Client
from django.utils import timezone

from media_worker.contract import RecordingProblem
from tenants.models import AuditEntry, Call, Recording, User
from tenants.services import recordings
from tests.portal.conftest import address, say
from tests.support.sound import ogg, sha256

SOUND = ogg()
RECORDED = {"record": {"value": True, "level": "agent"}}


@pytest.fixture
def alices(browse: Callable[[User], Client], alice: User) -> Client:
    return browse(alice)


def page(browser: Client, call: Call) -> str:
    return browser.get(address("call", call_id=call.public_id)).content.decode()


def whole(answer: Any) -> bytes:
    async def collect() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(collect)()


@pytest.mark.parametrize(
    ("settings_used", "fields", "state"),
    [
        ({}, {}, "none"),
        ({"record": {"value": False, "level": "platform"}}, {}, "none"),
        (RECORDED, {"answered_at": None}, "none"),
        (RECORDED, {"state": "running"}, "running"),
        (RECORDED, {}, "coming"),
    ],
)
def test_before_there_is_one(
    make_call: Callable[..., Call],
    alices: Client,
    settings_used: dict[str, Any],
    fields: dict[str, Any],
    state: str,
):
    call = make_call(settings_used=settings_used, **fields)
    text = page(alices, call)
    assert f'data-state="{state}"' in text
    assert "<audio" not in text


def test_one_that_does_not_come_is_said_to_be_late(make_call: Callable[..., Call], alices: Client):
    ended = timezone.now() - timedelta(hours=1)
    call = make_call(settings_used=RECORDED, ended_at=ended)
    assert "The recording has not come yet." in page(alices, call)


@pytest.mark.parametrize("problem", list(RecordingProblem))
def test_one_that_could_not_be_made_says_why(
    make_call: Callable[..., Call], alices: Client, problem: RecordingProblem
):
    call = make_call(settings_used=RECORDED)
    recordings.note_problem(call, problem)
    text = page(alices, call)
    assert 'data-state="failed"' in text
    assert "There is no recording." in text
    view_text = text.split("There is no recording.")[1].split("</span>")[0].strip()
    assert view_text.endswith(".")
    assert len(view_text) > 20


def test_the_player_has_what_it_needs(
    call: Call, alices: Client, keep_recording: Callable[..., Recording]
):
    say(call, "item_9", 50, "caller", "Thank you.", offset_ms=960, duration_ms=500)
    keep_recording(call, SOUND, problem="disk_full")
    text = page(alices, call)
    assert f'src="{address("recording", call_id=call.public_id)}"' in text
    assert 'data-duration="2000" data-offset="-40"' in text
    assert 'data-at="960" data-length="500"' in text
    # 1000 units for 2000 ms, from 40 ms before the answer on
    assert '<rect class="lane-caller" x="500" y="1" width="250" height="7"/>' in text
    assert "The recording is not complete. The disk of the media worker was full." in text


def test_the_whole_file(call: Call, alices: Client, keep_recording: Callable[..., Recording]):
    keep_recording(call, SOUND)
    answer = alices.get(address("recording", call_id=call.public_id))
    assert (answer.status_code, whole(answer)) == (200, SOUND)
    assert answer["Content-Type"] == "audio/ogg"
    assert answer["Content-Length"] == str(len(SOUND))
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["ETag"] == f'"{sha256(SOUND)}"'
    assert answer["Cache-Control"] == "private, no-cache"
    assert answer["Content-Disposition"].startswith('inline; filename="call-20')
    answer = alices.get(address("recording", call_id=call.public_id) + "?download")
    assert answer["Content-Disposition"].startswith('attachment; filename="call-20')
    assert answer["Content-Disposition"].endswith('.ogg"')


N = len(SOUND)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-", 0, N),
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=100-", 100, N),
        ("bytes=-10", N - 10, N),
        (f"bytes=10-{N * 9}", 10, N),
        (f"bytes=-{N * 9}", 0, N),
    ],
)
def test_a_part_of_it(
    call: Call,
    alices: Client,
    keep_recording: Callable[..., Recording],
    asked: str,
    start: int,
    end: int,
):
    keep_recording(call, SOUND)
    answer = alices.get(address("recording", call_id=call.public_id), headers={"Range": asked})
    assert whole(answer) == SOUND[start:end]
    assert answer["Content-Length"] == str(end - start)
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {start}-{end - 1}/{N}"


@pytest.mark.parametrize("asked", [f"bytes={N}-", f"bytes={N + 5}-{N + 9}", "bytes=-0"])
def test_a_part_that_is_not_there(
    call: Call, alices: Client, keep_recording: Callable[..., Recording], asked: str
):
    keep_recording(call, SOUND)
    answer = alices.get(address("recording", call_id=call.public_id), headers={"Range": asked})
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{N}"


@pytest.mark.parametrize(
    "asked", ["bytes=", "bytes=-", "bytes=5-2", "items=0-5", "bytes=0-5,8-9", "bytes=a-b"]
)
def test_a_range_that_makes_no_sense_gets_the_whole(
    call: Call, alices: Client, keep_recording: Callable[..., Recording], asked: str
):
    keep_recording(call, SOUND)
    answer = alices.get(address("recording", call_id=call.public_id), headers={"Range": asked})
    assert (answer.status_code, whole(answer)) == (200, SOUND)


def test_if_range_of_another_file_gets_the_whole(
    call: Call, alices: Client, keep_recording: Callable[..., Recording]
):
    keep_recording(call, SOUND)
    url = address("recording", call_id=call.public_id)
    same = {"Range": "bytes=0-9", "If-Range": f'"{sha256(SOUND)}"'}
    assert alices.get(url, headers=same).status_code == 206
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert alices.get(url, headers=other).status_code == 200


def test_head_says_how_long_it_is(
    call: Call, alices: Client, keep_recording: Callable[..., Recording]
):
    keep_recording(call, SOUND)
    answer = alices.head(address("recording", call_id=call.public_id))
    assert (answer.status_code, answer["Content-Length"]) == (200, str(N))


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_it_comes_in_pieces(
    call: Call, alice: User, keep_recording: Callable[..., Recording]
):
    data = SOUND[:200] + b"x" * (3 * recordings.CHUNK_BYTES)
    await sync_to_async(keep_recording)(call, data)
    browser = AsyncClient()
    await browser.aforce_login(alice)
    answer = await browser.get(address("recording", call_id=call.public_id))
    pieces = [piece async for piece in answer.streaming_content]
    assert [len(piece) for piece in pieces[:3]] == [recordings.CHUNK_BYTES] * 3
    assert b"".join(pieces) == data


def test_it_is_deleted_with_its_file_and_the_page_says_so(
    call: Call,
    bob: User,
    browse: Callable[[User], Client],
    keep_recording: Callable[..., Recording],
    django_capture_on_commit_callbacks,
):
    name = keep_recording(call, SOUND).file.name
    browser = browse(bob)
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(address("recording_delete", call_id=call.public_id))
    assert not default_storage.exists(name)
    assert AuditEntry.all_tenants.get(action="recording.delete").user == bob
    text = page(browser, call)
    assert 'data-state="deleted"' in text
    assert "The recording was deleted." in text
    assert browser.get(address("recording", call_id=call.public_id)).status_code == 404


def test_only_who_manages_is_offered_to_delete(
    call: Call,
    alice: User,
    erin: User,
    browse: Callable[[User], Client],
    keep_recording: Callable[..., Recording],
):
    keep_recording(call, SOUND)
    assert "Delete this recording?" in page(browse(alice), call)
    assert "Delete this recording?" not in page(browse(erin), call)
