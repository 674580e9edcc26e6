"""Health: each part that the installation needs, whether it answers, and how quickly."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from django.conf import settings
from django.core.files.storage import default_storage
from django.http import HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pbxai.health import PROBES
from tenants.console.access import ConsoleRequest, console_page
from tenants.console.frame import render_page
from tenants.console.jobs import are_silent
from tenants.models import Worker
from tenants.portal.words import Badge

LEAST_FREE: Final = 0.05
"""Share of the disk; below it something has to be done."""
_NAMES: Final[dict[str, str | Promise]] = {
    "database": gettext_lazy("Database"),
    "migrations": gettext_lazy("Tables of the database"),
    "cache": gettext_lazy("Cache"),
    "channel_layer": gettext_lazy("Channel layer"),
}


@dataclass(frozen=True)
class Part:
    name: str | Promise
    badge: Badge
    detail: str = ""


class Trouble(Exception):  # noqa: N818 - says what is the matter
    """A part does not do its work; the message is for the operator."""


def parts() -> list[Part]:
    found = [_probe(_NAMES.get(name, name), probe) for name, probe in PROBES.items()]
    found += [
        _probe(_("Jobs"), _jobs),
        _probe(_("Media workers"), _workers),
        _probe(_("Files"), _files),
    ]
    return [*found, _disk()]


def _probe(name: str | Promise, probe: Callable[[], None]) -> Part:
    began = perf_counter()
    try:
        probe()
    except Trouble as trouble:
        return Part(name, _bad(), str(trouble))
    except Exception as error:
        # Whatever it is, it is the answer to the page's question.
        return Part(name, _bad(), type(error).__name__)
    took = (perf_counter() - began) * 1000
    good = Badge(_("Works"), "good", "good")
    if took < 1:
        return Part(name, good, _("answered within a millisecond"))
    return Part(name, good, _("answered in %(ms)d ms") % {"ms": round(took)})


def _bad() -> Badge:
    return Badge(_("Does not work"), "bad", "bad")


def _jobs() -> None:
    if are_silent():
        text = _("The jobs process has not been heard of: nothing is cleaned up or counted.")
        raise Trouble(text)


def _workers() -> None:
    if not Worker.objects.filter(connected=True).exists():
        raise Trouble(_("No media worker is connected: nobody answers the phone."))


def _files() -> None:
    default_storage.exists("health")


def _disk() -> Part:
    usage = shutil.disk_usage(settings.DATA_DIR)
    detail = _("%(free)s of %(total)s free") % {
        "free": filesizeformat(usage.free),
        "total": filesizeformat(usage.total),
    }
    is_short = usage.free < LEAST_FREE * usage.total
    short = Badge(_("Nearly full"), "warn", "warn")
    return Part(_("Disk"), short if is_short else Badge(_("Works"), "good", "good"), detail)


@console_page
def health(request: ConsoleRequest) -> HttpResponse:
    found = parts()
    is_well = all(part.badge.state == "good" for part in found)
    context = {"parts": found, "is_well": is_well}
    return render_page(request, "console/health.html", context, here="health")
