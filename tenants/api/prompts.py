"""Rendered prompts for media workers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse

from tenants.api.problems import problem
from tenants.api.worker import for_workers
from tenants.models import Worker
from tenants.services import prompts

FOR_EVER: Final = "private, max-age=31536000, immutable"
"""Another sound has another digest."""


@for_workers("GET")
def get_prompt(request: HttpRequest, worker: Worker, digest: str) -> HttpResponse:
    """The WAV file of this SHA-256."""
    wav = prompts.file_of(digest)
    if wav is None:
        return problem(HTTPStatus.NOT_FOUND, "There is no such prompt.")
    return HttpResponse(wav, content_type="audio/wav", headers={"Cache-Control": FOR_EVER})
