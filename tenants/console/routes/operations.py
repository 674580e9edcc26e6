"""What happens now on the whole installation."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.console import calls, health, jobs, overview, workers

patterns: list[URLPattern] = [
    path("", overview.overview, name="overview"),
    path("calls/", calls.calls, name="calls"),
    path("calls/<uuid:call_id>/", calls.call, name="call"),
    path("workers/", workers.workers, name="workers"),
    path("workers/<uuid:worker_id>/", workers.worker, name="worker"),
    path("workers/<uuid:worker_id>/drain/", workers.worker_drain, name="worker_drain"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/<int:failure_id>/retry/", jobs.job_retry, name="job_retry"),
    path("health/", health.health, name="health"),
]
