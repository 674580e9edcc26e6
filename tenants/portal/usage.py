"""Usage: calls, minutes, money and waits of a period, by day and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.http import HttpResponse
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tenants.models import Agent, Number, Tenant
from tenants.models.choices import CallKind
from tenants.models.day_stats import WAIT_BUCKETS_MS
from tenants.portal.access import TenantRequest, tenant_page
from tenants.portal.charts import Cell, Chart, Column, Row
from tenants.portal.frame import page_url, render_page
from tenants.portal.start import Stat
from tenants.services import usage as sums_of
from tenants.services.usage import Period, Report, Sums
from tenants.templatetags.ui import count, milliseconds, minutes, money, sums_of_money

MOST_ROWS: Final = 20
"""Of a table; the others are summed in its last line."""
DEFAULT: Final = "30"
MOST_DAYS: Final = 92
"""Longer periods are drawn by month: a bar a day would be a hair, and its table endless."""


def _last(days: int) -> Callable[[date], Period]:
    return lambda today: Period(today - timedelta(days=days - 1), today)


def _month(today: date) -> Period:
    return Period(today.replace(day=1), today)


def _month_before(today: date) -> Period:
    last = today.replace(day=1) - timedelta(days=1)
    return Period(last.replace(day=1), last)


PERIODS: Final[dict[str, tuple[str | Promise, Callable[[date], Period]]]] = {
    "7": (gettext_lazy("7 days"), _last(7)),
    "30": (gettext_lazy("30 days"), _last(30)),
    "month": (gettext_lazy("This month"), _month),
    "month-before": (gettext_lazy("Last month"), _month_before),
    "year": (gettext_lazy("12 months"), _last(365)),
}


@dataclass(frozen=True)
class PeriodLink:
    key: str
    label: str | Promise
    here: bool


@dataclass(frozen=True)
class UsageRow:
    name: str
    url: str
    sums: Sums
    share: int
    """Percent of the period's calls."""


@dataclass(frozen=True)
class UsageTable:
    """One grouping; see templates/components/usage_table.html."""

    title: str
    head: str
    rows: Sequence[UsageRow]
    rest: str
    """What was left out, in a sentence; empty: nothing."""


@dataclass(frozen=True)
class Budget:
    """See templates/components/meter.html."""

    label: str
    percent: int
    text: str


@tenant_page()
def usage(request: TenantRequest) -> HttpResponse:
    chosen = request.GET.get("period", DEFAULT)
    key = chosen if chosen in PERIODS else DEFAULT
    period = PERIODS[key][1](sums_of.today(request.tenant))
    report = sums_of.report(tenant=request.tenant, period=period)
    context: dict[str, Any] = {
        "lead": _between(period),
        "periods": [PeriodLink(name, label, name == key) for name, (label, _p) in PERIODS.items()],
        "stats": stats(report),
        "budget": budget(request.tenant),
    }
    if report.total.calls:
        context["unpriced"] = ", ".join(
            sums_of.unpriced_models(tenant=request.tenant, period=period)
        )
        context["charts"] = charts(report)
        context["tables"] = tables(request, report)
    return render_page(request, "portal/usage.html", context, here="usage")


def _between(period: Period) -> str:
    return _("%(first)s to %(last)s, on your company's clock.") % {
        "first": formats.date_format(period.first),
        "last": formats.date_format(period.last),
    }


def stats(report: Report) -> list[Stat]:
    total = report.total
    missed = [
        ngettext("%(count)s refused", "%(count)s refused", total.refused)
        % {"count": count(total.refused)}
        if total.refused
        else "",
        ngettext("%(count)s failed", "%(count)s failed", total.failed)
        % {"count": count(total.failed)}
        if total.failed
        else "",
    ]
    tokens = _("%(given)s tokens heard and read, %(made)s spoken and written") % {
        "given": count(total.tokens_in),
        "made": count(total.tokens_out),
    }
    return [
        Stat(
            id="usage-spend",
            label=_("Spend"),
            value=sums_of_money(total.costs),
            note=tokens if total.tokens_in or total.tokens_out else "",
        ),
        Stat(
            id="usage-calls",
            label=_("Calls"),
            value=count(total.calls),
            note=", ".join(filter(None, missed)),
        ),
        Stat(id="usage-minutes", label=_("Minutes"), value=minutes(total.duration_ms)),
        Stat(
            id="usage-wait",
            label=_("Answer delay"),
            value=milliseconds(total.wait_ms),
            note=_("median of the calls"),
        ),
    ]


def budget(tenant: Tenant) -> Budget | None:
    """How much of the month's budget is spent; None without a budget."""
    if tenant.budget_month is None:
        return None
    currency = tenant.budget_currency
    spent = sums_of.spent_this_month(tenant).get(currency, Decimal())
    percent = int(spent * 100 / tenant.budget_month)
    words = {"spent": money(spent, currency), "budget": money(tenant.budget_month, currency)}
    text = _("%(spent)s of %(budget)s") % words
    if percent >= 100:
        text = _("%(spent)s of %(budget)s; calls go on") % words
    return Budget(_("Budget of this month"), percent, text)


# --- charts --------------------------------------------------------------------------------------


def charts(report: Report) -> list[Chart]:
    return [
        *([_spend_chart(report)] if report.currency else []),
        _calls_chart(report),
        _minutes_chart(report),
        _waits_chart(report.total),
    ]


def _over_time(
    report: Report,
    titles: tuple[str, str],
    columns: Sequence[Column],
    cells: Callable[[Sums], Sequence[Cell]],
    **more: Any,
) -> Chart:
    """A row a day, or in a long period a month; `titles` are those of both."""
    if len(report.by_day) <= MOST_DAYS:
        rows = [
            Row(
                title=formats.date_format(day),
                short=formats.date_format(day, "j M"),
                cells=cells(sums),
            )
            for day, sums in report.by_day.items()
        ]
        return Chart(title=titles[0], head=_("Day"), columns=columns, rows=rows, **more)
    rows = [
        Row(
            title=formats.date_format(month, "YEAR_MONTH_FORMAT"),
            short=formats.date_format(month, "M Y"),
            cells=cells(sums),
        )
        for month, sums in _by_month(report).items()
    ]
    return Chart(title=titles[1], head=_("Month"), columns=columns, rows=rows, **more)


def _by_month(report: Report) -> dict[date, Sums]:
    months: dict[date, Sums] = {}
    for day, sums in report.by_day.items():
        months.setdefault(day.replace(day=1), Sums()).include(sums)
    return months


def _spend_chart(report: Report) -> Chart:
    currency = report.currency

    def cells(sums: Sums) -> list[Cell]:
        spent = sums.costs.get(currency, Decimal())
        return [Cell(f"{spent:f}", money(spent, currency))]

    return _over_time(
        report,
        (_("Spend a day"), _("Spend a month")),
        [Column(_("Spend"))],
        cells,
        unit="money",
        currency=currency,
    )


def _calls_chart(report: Report) -> Chart:
    columns = [
        Column(_("Went well")),
        Column(_("Refused"), "warn"),
        Column(_("Failed"), "bad"),
    ]
    return _over_time(
        report,
        (_("Calls a day"), _("Calls a month")),
        columns,
        lambda sums: [_counted(sums.fine), _counted(sums.refused), _counted(sums.failed)],
    )


def _minutes_chart(report: Report) -> Chart:
    return _over_time(
        report,
        (_("Minutes a day"), _("Minutes a month")),
        [Column(_("Minutes"))],
        lambda sums: [Cell(f"{sums.duration_ms / 60_000:.2f}", minutes(sums.duration_ms))],
        unit="minutes",
    )


def _waits_chart(total: Sums) -> Chart:
    bounds = [0, *WAIT_BUCKETS_MS]
    rows = [
        Row(title=_wait_range(low, high), short=_wait_end(high), cells=[_counted(number)])
        for low, high, number in zip(bounds, [*WAIT_BUCKETS_MS, None], total.waits, strict=True)
    ]
    return Chart(
        title=_("Answer delay"),
        help=_("Calls by their median delay: from the caller's last word to the agent's first."),
        head=_("Answer delay"),
        columns=[Column(_("Calls"))],
        rows=rows,
    )


def _wait_range(low: int, high: int | None) -> str:
    if high is None:
        return _("%(low)s and longer") % {"low": milliseconds(low)}
    return _("%(low)s to %(high)s") % {"low": milliseconds(low), "high": milliseconds(high)}


def _wait_end(high: int | None) -> str:
    return "…" if high is None else milliseconds(high)


def _counted(number: int) -> Cell:
    return Cell(str(number), count(number))


# --- tables --------------------------------------------------------------------------------------


def tables(request: TenantRequest, report: Report) -> list[UsageTable]:
    found = [
        _table(
            report, _("By agent"), _("Agent"), report.by_agent, *_agents(request), _("No agent")
        ),
        _table(
            report, _("By number"), _("Number"), report.by_number, *_numbers(request),
            _("No number, or one that was removed"),
        ),
        _table(report, _("By model"), _("Model"), report.by_model, {}, {}, _("No model")),
    ]  # fmt: skip
    if len(report.by_kind) > 1:
        names = {kind.value: str(kind.label) for kind in CallKind}
        found.append(_table(report, _("By way"), _("Way"), report.by_kind, names, {}, ""))
    return found


def _table(
    report: Report,
    title: str,
    head: str,
    groups: Mapping[Any, Sums],
    names: Mapping[Any, str],
    urls: Mapping[Any, str],
    nobody: str,
) -> UsageTable:
    rows = [
        UsageRow(
            names.get(key) or (key if isinstance(key, str) and key else nobody),
            urls.get(key, ""),
            sums,
            round(100 * sums.calls / report.total.calls),
        )
        for key, sums in list(groups.items())[:MOST_ROWS]
    ]
    left = list(groups.values())[MOST_ROWS:]
    rest = (
        ngettext(
            "%(lines)d more with %(calls)s calls", "%(lines)d more with %(calls)s calls", len(left)
        )
        % {"lines": len(left), "calls": count(sum(sums.calls for sums in left))}
        if left
        else ""
    )
    return UsageTable(title, head, rows, rest)


def _agents(request: TenantRequest) -> tuple[dict[int, str], dict[int, str]]:
    """Names and addresses by primary key."""
    found = list(Agent.objects.only("name", "public_id"))
    return (
        {agent.pk: agent.name for agent in found},
        {agent.pk: page_url("agent", request, agent_id=agent.public_id) for agent in found},
    )


def _numbers(request: TenantRequest) -> tuple[dict[int, str], dict[int, str]]:
    found = list(Number.objects.only("number", "label", "public_id"))
    return (
        {number.pk: str(number) for number in found},
        {number.pk: page_url("number", request, number_id=number.public_id) for number in found},
    )
