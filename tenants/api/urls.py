"""Addresses of the worker API, as the contract gives them, and of the REST API."""

from __future__ import annotations

from django.urls import include, path

from media_worker.contract import (
    ADMISSION_PATH,
    CHECK_PATH,
    PLAN_PATH,
    PROMPT_PATH,
    RECORDING_PATH,
)
from tenants.api import prompts, stream, worker

urlpatterns = [
    path(ADMISSION_PATH.lstrip("/"), worker.admit_call, name="worker-admit-call"),
    path(
        PLAN_PATH.replace("{call_id}", "<uuid:call_id>").lstrip("/"),
        worker.pull_plan,
        name="worker-pull-plan",
    ),
    path(
        CHECK_PATH.replace("{check_id}", "<uuid:check_id>").lstrip("/"),
        worker.pull_check,
        name="worker-pull-check",
    ),
    path(
        PROMPT_PATH.replace("{digest}", "<slug:digest>").lstrip("/"),
        prompts.get_prompt,
        name="worker-get-prompt",
    ),
    path(
        RECORDING_PATH.replace("{call_id}", "<uuid:call_id>").lstrip("/"),
        worker.put_recording,
        name="worker-put-recording",
    ),
    path("api/v1/stream", stream.stream, name="stream"),
    path("api/v1/", include("tenants.api.v1.api")),
]
