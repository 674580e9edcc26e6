"""Strict checks of what a client sends, with the words and codes of the real API.

A check takes a value and its path ("session.audio.input.format") and raises ClientError.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from media_worker.sandbox.errors import ClientError

Check = Callable[[Any, str], None]

_NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}


def _name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "an integer" if isinstance(value, int) else "a decimal"
    return _NAMES.get(type(value), type(value).__name__)


def _wrong_type(path: str, expected: str, value: Any) -> NoReturn:
    message = f"Invalid type for '{path}': expected {expected}, but got {_name(value)} instead."
    raise ClientError(message, code="invalid_type", param=path)


def _listed(values: Collection[str]) -> str:
    quoted = [f"'{value}'" for value in values]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def missing(path: str) -> NoReturn:
    message = f"Missing required parameter: '{path}'."
    raise ClientError(message, code="missing_required_parameter", param=path)


def unknown(path: str) -> NoReturn:
    raise ClientError(f"Unknown parameter: '{path}'.", code="unknown_parameter", param=path)


def invalid(path: str, message: str) -> NoReturn:
    raise ClientError(message, code="invalid_value", param=path)


def anything(value: Any, path: str) -> None:
    """Known to the API and accepted, without an effect here."""


def text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        _wrong_type(path, "a string", value)


def boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        _wrong_type(path, "a boolean", value)


def an_object(value: Any, path: str) -> None:
    if not isinstance(value, dict):
        _wrong_type(path, "an object", value)


def number(low: float, high: float) -> Check:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            _wrong_type(path, "a decimal", value)
        _within(value, low, high, path, "decimal")

    return check


def integer(low: int, high: int) -> Check:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            _wrong_type(path, "an integer", value)
        _within(value, low, high, path, "integer")

    return check


def _within(value: float, low: float, high: float, path: str, kind: str) -> None:
    if value < low:
        expected = f"{kind} below minimum value. Expected a value >= {low}"
    elif value > high:
        expected = f"{kind} above maximum value. Expected a value <= {high}"
    else:
        return
    invalid(path, f"Invalid '{path}': {expected}, but got {value} instead.")


def one_of(*allowed: str) -> Check:
    def check(value: Any, path: str) -> None:
        text(value, path)
        if value not in allowed:
            invalid(path, f"Invalid value: '{value}'. Supported values are: {_listed(allowed)}.")

    return check


def nullable(check: Check) -> Check:
    def checked(value: Any, path: str) -> None:
        if value is not None:
            check(value, path)

    return checked


def list_of(check: Check) -> Check:
    def checked(value: Any, path: str) -> None:
        if not isinstance(value, list):
            _wrong_type(path, "an array", value)
        for index, element in enumerate(value):
            check(element, f"{path}[{index}]")

    return checked


def object_of(fields: Mapping[str, Check], required: Collection[str] = ()) -> Check:
    """An object with these members and no other."""

    def check(value: Any, path: str) -> None:
        an_object(value, path)
        for name in required:
            if name not in value:
                missing(f"{path}.{name}")
        for name, member in value.items():
            if name not in fields:
                unknown(f"{path}.{name}")
            fields[name](member, f"{path}.{name}")

    return check


def tagged(tag: str, kinds: Mapping[str, Check]) -> Check:
    """An object whose member `tag` says which check it must pass."""

    def check(value: Any, path: str) -> None:
        an_object(value, path)
        if tag not in value:
            missing(f"{path}.{tag}")
        one_of(*kinds)(value[tag], f"{path}.{tag}")
        kinds[value[tag]](value, path)

    return check


def string_or(check: Check, *allowed: str) -> Check:
    """One of these strings, or what `check` passes."""

    def checked(value: Any, path: str) -> None:
        (one_of(*allowed) if isinstance(value, str) else check)(value, path)

    return checked
