from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.admin.site import Page, ReadOnly, admin_site
from tenants.models import SetAsideRecord, Worker
from tenants.services import workers


@admin.register(Worker, site=admin_site)
class WorkerPage(Page):
    list_display = [
        "name",
        "connected",
        "draining",
        "active_calls",
        "short_capacity",
        "sip_build",
        "last_seen_at",
        "host",
        "is_active",
    ]
    list_filter = ["connected", "is_active"]
    search_fields = ["name", "host"]
    actions = ["renew_tokens"]
    reported = [
        "connected",
        "draining",
        "active_calls",
        "true_capacity",
        "sip_build",
        "last_seen_at",
        "outbox_depth",
        "host",
        "version",
        "addresses",
        "boot_id",
        "rejected_frames",
        "set_aside_records",
    ]
    readonly_fields = [*reported, "public_id", "token_hint", "created_at"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["name"]})]
        return [
            (None, {"fields": ["name", "is_active", "token_hint", "public_id", "created_at"]}),
            (_("Reported by itself"), {"fields": self.reported}),
        ]

    @admin.display(description=gettext_lazy("capacity"), ordering="capacity")
    def short_capacity(self, worker: Worker) -> str:
        calls = str(worker.capacity)
        return _("%(calls)s (wheel)") % {"calls": calls} if worker.is_on_wheel else calls

    @admin.display(description=gettext_lazy("capacity"))
    def true_capacity(self, worker: Worker) -> str:
        if not worker.is_on_wheel:
            return str(worker.capacity)
        return _(
            "%(calls)s: the wheel of pjsua2 takes no more. “make pjsua2” on the worker's machine "
            "builds one for 512."
        ) % {"calls": worker.capacity}

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        self._show_token(request, obj, workers.give_token(obj))

    @admin.action(description=gettext_lazy("Give the selected workers new tokens"))
    def renew_tokens(self, request: HttpRequest, queryset: QuerySet[Worker]) -> None:
        for worker in queryset:
            self._show_token(request, worker, workers.give_token(worker))
            self.log_change(request, worker, "token")

    def _show_token(self, request: HttpRequest, worker: Worker, token: str) -> None:
        self.message_user(
            request,
            _("Token of %(name)s, shown this once: %(token)s")
            % {"name": worker.name, "token": token},
            messages.WARNING,
        )


@admin.register(SetAsideRecord, site=admin_site)
class SetAsidePage(ReadOnly, Page):
    """What a worker reported and what fits no row; may hold words of a caller."""

    list_display = ["at", "worker", "seq", "reason"]
    list_select_related = ["worker"]
    list_filter = ["worker"]
    exclude = ["record"]
