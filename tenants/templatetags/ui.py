"""The pages' vocabulary: icons, components with slots, times and durations.

{% load ui %}
{% icon "phone" %}                         an inline SVG of templates/icons/, hidden from readers
{% component "card" title=_("Calls") %}    templates/components/card.html, its body as `slot`
  {% slot "actions" %}...{% endslot %}     a named part of it, there as `actions`
  ...
{% endcomponent %}
{% when call.started_at %}                 relative within a day, absolute on hover
{{ call.duration_ms|clock }}               m:ss
{{ person.get_full_name|initials }}        MH
{{ call.cost|money:call.currency }}        1.20 USD; below a cent 0.0042 USD; None: not known
{{ sums.costs|sums_of_money }}             the same of several currencies
{{ sums.calls|count }}                     12,345
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from django import forms, template
from django.conf import settings
from django.forms import BoundField
from django.template.base import FilterExpression, Node, NodeList, Parser, Token, token_kwargs
from django.template.context import Context
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.frame import initials

register = template.Library()
register.filter("initials", initials)

DASH = "–"  # noqa: RUF001 - typography: nothing to show
ICONS = Path(settings.BASE_DIR) / "templates" / "icons"


@cache
def _shapes(name: str) -> str:
    """The inside of an icon's file; a missing one is a programming error and raises."""
    text = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    return text[text.index(">") + 1 : text.rindex("</svg>")].strip()


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """An icon that says nothing to a screen reader: its word stands beside it or in aria-label."""
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        ' stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"'
        ' aria-hidden="true">{}</svg>',
        classes,
        mark_safe(_shapes(name)),  # noqa: S308 - our own files
    )


class SlotNode(Node):
    """A named part of a component; rendered by its component, alone it gives nothing."""

    def __init__(self, name: FilterExpression, nodelist: NodeList) -> None:
        self.name = name
        self.nodelist = nodelist

    def render(self, context: Context) -> SafeString:
        return mark_safe("")


class ComponentNode(Node):
    """Renders templates/components/<name>.html with its arguments and slots and nothing else."""

    def __init__(
        self, name: FilterExpression, arguments: dict[str, FilterExpression], body: NodeList
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.slots = [node for node in body if isinstance(node, SlotNode)]
        self.body = NodeList([node for node in body if not isinstance(node, SlotNode)])

    def render(self, context: Context) -> SafeString:
        values: dict[str, Any] = {
            key: value.resolve(context) for key, value in self.arguments.items()
        }
        for slot in self.slots:
            values[slot.name.resolve(context)] = slot.nodelist.render(context)
        values["slot"] = self.body.render(context)
        engine = context.template.engine  # type: ignore[union-attr]
        found = engine.get_template(f"components/{self.name.resolve(context)}.html")
        return found.render(context.new(values))


@register.tag("component")
def do_component(parser: Parser, token: Token) -> ComponentNode:
    _tag, name, *rest = token.split_contents()
    arguments = token_kwargs(rest, parser)
    if rest:
        raise template.TemplateSyntaxError(f"component {name}: not name=value: {rest}")
    body = parser.parse(("endcomponent",))
    parser.delete_first_token()
    return ComponentNode(parser.compile_filter(name), arguments, body)


@register.tag("slot")
def do_slot(parser: Parser, token: Token) -> SlotNode:
    _tag, name = token.split_contents()
    nodelist = parser.parse(("endslot",))
    parser.delete_first_token()
    return SlotNode(parser.compile_filter(name), nodelist)


def relative(value: datetime, now: datetime) -> str:
    """`value` as a person says it: relative within a day, else the date and time."""
    past = now - value
    if timedelta(0) <= past < timedelta(minutes=1):
        return _("just now")
    if timedelta(0) <= past < timedelta(hours=1):
        minutes = int(past.total_seconds() // 60)
        return ngettext("%(count)d minute ago", "%(count)d minutes ago", minutes) % {
            "count": minutes
        }
    if timedelta(0) <= past < timedelta(days=1):
        hours = int(past.total_seconds() // 3600)
        return ngettext("%(count)d hour ago", "%(count)d hours ago", hours) % {"count": hours}
    return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")


@register.simple_tag
def when(value: datetime | None, never: str = "") -> SafeString | str:
    """A <time>: relative text kept fresh by times.js, the exact local time on hover."""
    if value is None:
        return never
    local = timezone.localtime(value)
    exact = formats.date_format(local, "DATE_FORMAT") + local.strftime(", %H:%M:%S")
    return format_html(
        '<time datetime="{}" title="{}" data-when>{}</time>',
        value.isoformat(timespec="seconds"),
        exact,
        relative(value, timezone.now()),
    )


@register.filter
def clock(milliseconds: int | None) -> str:
    """Milliseconds as m:ss, from an hour on h:mm:ss; a dash when there are none."""
    if milliseconds is None:
        return DASH
    minutes, seconds = divmod(int(milliseconds) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def tenths(value: float) -> str:
    """A number with one decimal, rounded: number_format cuts the rest of a float off."""
    return formats.number_format(round(value, 1), 1)


@register.filter
def milliseconds(value: int | None) -> str:
    """A short span in ms below a second, else in seconds with one decimal: 640 ms, 1.4 s."""
    if value is None:
        return DASH
    if value < 1000:
        return f"{value} ms"
    return f"{tenths(value / 1000)} s"


LEAST_WHOLE_MINUTES = 10
CENT = Decimal("0.01")
SMALLEST = Decimal("0.0001")


@register.filter
def money(amount: Decimal | None, currency: str) -> str:
    """An amount with its currency; four decimals below a cent; None is "not known", not nothing."""
    if amount is None:
        return _("not known")
    if 0 < amount < SMALLEST:
        return f"< {formats.number_format(SMALLEST, 4)}\N{NO-BREAK SPACE}{currency}"
    places = 4 if 0 < amount < CENT else 2
    rounded = round(amount, places)
    return (
        f"{formats.number_format(rounded, places, force_grouping=True)}\N{NO-BREAK SPACE}{currency}"
    )


@register.filter
def sums_of_money(costs: Mapping[str, Decimal]) -> str:
    """Amounts by currency, the largest first; a dash when there are none."""
    ordered = sorted(costs.items(), key=lambda item: -item[1])
    return " + ".join(money(amount, currency) for currency, amount in ordered) or DASH


@register.filter
def rate(amount: Decimal | None) -> str:
    """A price as its list has it, without noughts at the end; a dash when there is none."""
    if amount is None:
        return DASH
    places = max(2, -int(amount.normalize().as_tuple().exponent))
    return formats.number_format(amount, places)


@register.filter
def count(number: int) -> str:
    """A number of things, thousands apart."""
    return formats.number_format(number, 0, force_grouping=True)


@register.filter
def minutes(value_ms: int) -> str:
    """A sum of spans in minutes; one decimal below ten, lest a short call is rounded away."""
    spent = value_ms / 60_000
    if round(spent, 1) >= LEAST_WHOLE_MINUTES or not spent:
        return count(round(spent))
    return tenths(max(spent, 0.1))


@register.filter
def styled(field: BoundField) -> SafeString:
    """A form field's control with the design system's class for its kind."""
    widget = field.field.widget
    kind = "form-select" if isinstance(widget, forms.Select) else "form-control"
    classes = f"{kind} {widget.attrs.get('class', '')}".strip()
    return field.as_widget(attrs={"class": classes})
