"""Rows of Django's tables through PostgreSQL's COPY: whole columns, defaults of the models."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import Field, Model
from django.db.models.fields import NOT_PROVIDED
from psycopg import sql

Write = Callable[[Sequence[Any]], None]


@contextmanager
def copying(model: type[Model], columns: str) -> Iterator[Write]:
    """Gives a function that takes the values of these columns, row by row; the rest are defaults.

    `columns` are names with spaces between them. Foreign keys are not looked at: see `trusting`.
    """
    names = columns.split()
    given = [field for field in _fields(model) if field.attname in names]
    rest = [field for field in _fields(model) if field.attname not in names and not _is_key(field)]
    missing = set(names) - {field.attname for field in given}
    if missing:
        raise ValueError(f"{model.__name__} has no {missing}.")
    order = [names.index(field.attname) for field in given]
    listed = ", ".join(f'"{field.column}"' for field in (*given, *rest))
    makers = [_default(field) for field in rest]
    constant = None if any(callable(maker) for maker in makers) else tuple(makers)
    with connection.cursor() as cursor:
        statement = f'COPY "{model._meta.db_table}" ({listed}) FROM STDIN'
        with cursor.copy(statement) as copy:

            def write(values: Sequence[Any]) -> None:
                tail = constant or tuple(made() if callable(made) else made for made in makers)
                copy.write_row((*(values[place] for place in order), *tail))

            yield write


@contextmanager
def trusting() -> Iterator[None]:
    """Without looking each foreign key up: the rows are made to fit, and there are 20,000,000."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = DEFAULT")


def set_keys(model: type[Model]) -> None:
    """Let the table go on counting behind the keys that were copied in."""
    sequence = sql.SQL("SELECT setval(pg_get_serial_sequence(%s, 'id'), (SELECT max(id) FROM {}))")
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(sequence.format(sql.Identifier(table)), [table])


def _fields(model: type[Model]) -> list[Field[Any, Any]]:
    return [field for field in model._meta.concrete_fields if not field.generated]


def _is_key(field: Field[Any, Any]) -> bool:
    return field.primary_key


def _default(field: Field[Any, Any]) -> Any:
    """A value, or a function that makes one for each row."""
    if field.default is uuid.uuid4:
        return uuid.uuid4
    if field.default is NOT_PROVIDED:
        return None if field.null else field.get_default()
    value = field.get_default()
    return json.dumps(value) if isinstance(value, dict | list) else value
