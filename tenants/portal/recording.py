"""The recording of a call: what its page shows, its sound for the browser, its deletion."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from tenants.models import Call, Recording, TranscriptEntry
from tenants.models.choices import RecordingProblem
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.frame import page_url
from tenants.services import recordings, waveforms

PRIVATE: Final = "private, no-cache"
"""Nobody but the person's own browser keeps it, and asks each time whether it may still."""
LATE: Final = timedelta(minutes=10)
LANES_WIDTH: Final = 1000

_PROBLEMS: Final[dict[str, str | Promise]] = {
    RecordingProblem.DISK_FULL: gettext_lazy("The disk of the media worker was full."),
    RecordingProblem.NOT_WRITTEN: gettext_lazy("The media worker could not write it."),
    RecordingProblem.NO_SOUND: gettext_lazy("The call ended before there was any sound."),
    RecordingProblem.NOT_ENCODED: gettext_lazy("The media worker could not encode it."),
    RecordingProblem.NOT_TAKEN: gettext_lazy(
        "What the media worker sent could not be stored here. Your operator has to look at it."
    ),
}


@dataclass(frozen=True)
class Stretch:
    """Somebody speaks: a bar in the player's lanes, in units of its viewBox."""

    speaker: str
    x: int
    width: int


@dataclass(frozen=True, kw_only=True)
class RecordingView:
    """State is one of none, running, coming, ready, failed, deleted."""

    state: str
    text: str = ""
    problem: str = ""
    url: str = ""
    delete_url: str = ""
    peaks_url: str = ""
    version: str = ""
    duration_ms: int = 0
    offset_ms: int = 0
    lanes: tuple[Stretch, ...] = ()


def recording_view(call: Call, slug: str) -> RecordingView:
    found: Recording | None = getattr(call, "recording", None)
    if found is None:
        return _not_here_yet(call)
    problem = str(_PROBLEMS.get(found.problem, ""))
    if found.deleted_at:
        return RecordingView(state="deleted", text=_("The recording was deleted."))
    if not found.file:
        return RecordingView(state="failed", text=_("There is no recording."), problem=problem)
    place = {"slug": slug, "call_id": call.public_id}
    return RecordingView(
        state="ready",
        problem=" ".join((_("The recording is not complete."), problem)) if problem else "",
        url=reverse("portal:recording", kwargs=place),
        delete_url=reverse("portal:recording_delete", kwargs=place),
        peaks_url=reverse("portal:call_peaks", kwargs=place),
        version=found.sha256[:16],
        duration_ms=found.duration_ms,
        offset_ms=found.offset_ms,
        lanes=_lanes(call, found),
    )


def _not_here_yet(call: Call) -> RecordingView:
    if not call.answered_at or not recordings.is_recorded(call):
        return RecordingView(state="none")
    if call.is_open:
        return RecordingView(state="running", text=_("This call is being recorded."))
    if call.ended_at and timezone.now() - call.ended_at > LATE:
        text = _("The recording has not come yet. The media worker keeps it until it can send it.")
    else:
        text = _("The recording is being prepared. It appears here by itself.")
    return RecordingView(state="coming", text=text)


def _lanes(call: Call, recording: Recording) -> tuple[Stretch, ...]:
    scale = LANES_WIDTH / max(1, recording.duration_ms)
    entries = TranscriptEntry.objects.filter(call=call, duration_ms__gt=0)
    return tuple(
        Stretch(
            entry.speaker,
            max(0, round((entry.offset_ms - recording.offset_ms) * scale)),
            max(1, round(entry.duration_ms * scale)),
        )
        for entry in entries
    )


# --- the sound -----------------------------------------------------------------------------------


def recording(request: HttpRequest, slug: str, call_id: UUID) -> HttpResponseBase:
    """The file, whole or in part (RFC 9110 section 14); `?download` names it for the disk."""
    answer: HttpResponseBase = _sound(request, slug=slug, call_id=call_id)
    if answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
        answer["Cache-Control"] = PRIVATE
        del answer["Expires"]
    return answer


@require_safe
@tenant_page()
def _sound(request: TenantRequest, call_id: UUID) -> HttpResponseBase:
    found = get_object_or_404(
        Recording.objects.select_related("call").exclude(file=""), call__public_id=call_id
    )
    etag = f'"{found.sha256}"'
    asked = _asked_range(request, etag)
    start, length = _place(asked, found.size) if asked else (0, found.size)
    if not length:
        answer = HttpResponse(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        answer["Content-Range"] = f"bytes */{found.size}"
        return answer
    sound: HttpResponseBase
    if request.method == "HEAD":
        sound = HttpResponse()
    else:
        sound = StreamingHttpResponse(_pieces(found, start, length))
    if asked:
        sound.status_code = HTTPStatus.PARTIAL_CONTENT
        sound["Content-Range"] = f"bytes {start}-{start + length - 1}/{found.size}"
    sound["Content-Type"] = "audio/ogg"
    sound["Content-Length"] = str(length)
    sound["Accept-Ranges"] = "bytes"
    sound["ETag"] = etag
    began = timezone.localtime(found.call.started_at).strftime("%Y-%m-%d-%H%M%S")
    kind = "attachment" if "download" in request.GET else "inline"
    sound["Content-Disposition"] = f'{kind}; filename="call-{began}.ogg"'
    return sound


def _asked_range(request: HttpRequest, etag: str) -> tuple[int | None, int | None] | None:
    """First and last byte of the one range that is asked for; None: all is, or nonsense."""
    header = request.headers.get("Range", "").strip()
    found = re.fullmatch(r"bytes=(\d{1,18})-(\d{0,18})|bytes=-(\d{1,18})", header)
    if found is None or request.headers.get("If-Range", etag) != etag:
        return None
    if found[3]:
        return None, int(found[3])
    first, last = int(found[1]), int(found[2]) if found[2] else None
    return None if last is not None and last < first else (first, last)


def _place(asked: tuple[int | None, int | None], size: int) -> tuple[int, int]:
    """First byte and how many, of a file of that size; none where it ends before the range."""
    first, last = asked
    if first is None:
        count = min(last or 0, size)
        return size - count, count
    end = size - 1 if last is None else min(last, size - 1)
    return first, max(0, end - first + 1)


async def _pieces(found: Recording, start: int, length: int) -> AsyncIterator[bytes]:
    """Piece by piece: a synchronous iterator would be read whole before the first byte goes out."""
    pieces = recordings.read(found, start, length)
    while piece := await sync_to_async(_next)(pieces):
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes:
    return next(pieces, b"")


@require_safe
@tenant_page()
def call_peaks(request: TenantRequest, call_id: UUID) -> HttpResponse:
    """The waveform: Recording.peaks as they are; empty (204) while, or if, it is not drawn."""
    kept = get_object_or_404(Recording.objects.exclude(file=""), call__public_id=call_id)
    peaks = bytes(kept.peaks)
    if len(peaks) != waveforms.SIZE:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return HttpResponse(peaks, content_type="application/octet-stream")


@require_POST
@tenant_page("manage")
def recording_delete(request: TenantRequest, call_id: UUID) -> HttpResponse:
    call: Any = Call.objects.filter(public_id=call_id).first()
    if call is None:
        raise Http404
    if recordings.delete(call=call, user=request.user):
        messages.success(request, _("The recording was deleted."))
    else:
        messages.warning(request, _("There is no recording."))
    return redirect(page_url("call", request, call_id=call.public_id))
