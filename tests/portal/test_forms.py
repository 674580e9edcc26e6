"""Lists of choices are drawn without templates, and are what Django's would be."""

from __future__ import annotations

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.test.html import parse_html

from pbxai.forms import FormRenderer

CHOICES = [
    ("", "---------"),
    (1, "One & <b>only</b>"),
    ('"two"', 'Two "'),
    ("More", [("3", "Three"), (4, "Four")]),
]


class Marked(forms.Select):
    """Choices with attributes of their own."""

    def create_option(self, *args, **kwargs):
        option = super().create_option(*args, **kwargs)
        return option | {"attrs": option["attrs"] | {"data-level": "a<b", "disabled": True}}


@pytest.mark.parametrize(
    "widget",
    [
        forms.Select(choices=CHOICES),
        forms.Select(attrs={"class": "", "required": True, "title": '"'}, choices=CHOICES),
        forms.SelectMultiple(choices=CHOICES),
        Marked(choices=CHOICES),
    ],
)
@pytest.mark.parametrize("value", [None, "", 1, 4, ["1", "3"], '"two"'])
def test_a_list_of_choices_is_as_django_draws_it(widget: forms.Select, value: object):
    drawn = [
        widget.render("name", value, {"id": "id_name"}, renderer=renderer)
        for renderer in (FormRenderer(), DjangoTemplates())
    ]
    assert parse_html(drawn[0]) == parse_html(drawn[1])
