"""TOML parsing, and checks of a table's keys and values against the fields of dataclasses."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from edgepack.core.errors import TableError
from edgepack.core.wording import did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


_MAX_DEPTH = 100
"""The most parts of a dotted key; the parser needs minutes for a key with very many."""

_AROUND_KEYS = re.compile(r"[=,\[\]{}]")
_QUOTED_PART = re.compile(r"[\"'][ \t]*\.")

_LONG_NUMBER = re.compile(r"0[xob][0-9a-fA-F_]{1000}")
"""Python parses such numbers, but refuses to print them, even in an error message."""


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML. Raises :class:`TableError` for text that is not valid TOML."""
    if _has_deep_key(text):
        raise TableError("not valid TOML: a key is nested too deeply")
    if _LONG_NUMBER.search(text):
        raise TableError("not valid TOML: a number has too many digits")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TableError("not valid TOML: it is nested too deeply") from None
    except ValueError as error:  # also raised for a decimal number with too many digits
        raise TableError(f"not valid TOML: {error}") from error


def _has_deep_key(text: str) -> bool:
    """Whether any key may have that many parts; text in strings that looks like a key counts."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return any(
        len(_QUOTED_PART.findall(line)) >= _MAX_DEPTH
        or any(part.count(".") >= _MAX_DEPTH for part in _AROUND_KEYS.split(line))
        for line in lines
    )


def checked_values(
    kind: type, table: dict[str, Any], names: Iterable[str] | None = None
) -> dict[str, Any]:
    """Return a table's values for the fields of a dataclass, converted to the fields' types.

    ``names`` restricts the fields. Raises :class:`TableError` for a value of the wrong type, and
    for a missing value without a default.
    """
    selected = None if names is None else set(names)
    values = {}
    for field in fields(kind):
        if selected is not None and field.name not in selected:
            continue
        if field.name in table:
            values[field.name] = checked_value(field.name, table[field.name], str(field.type))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise TableError(f"the key {field.name!r} is missing")
    return values


def checked_value(name: str, value: Any, kind: str) -> Any:
    """Convert a TOML value to the type of an annotation.

    ``name`` is the key, for messages. Raises :class:`TableError` for a value of another type.
    """
    description, convert = _VALUE_TYPES[kind.removesuffix(" | None")]
    converted = convert(value)
    if converted is None:
        raise TableError(f"{name!r} must be {description}, not {value!r}")
    return converted


def require_known(table: dict[str, Any], known: Iterable[str], introduction: str) -> None:
    """Raise :class:`TableError` for a key that is not known; ``introduction`` precedes the list."""
    known = list(known)
    if unknown := sorted(table.keys() - set(known)):
        hint = did_you_mean(unknown[0], known)
        raise TableError(
            f"unknown key {unknown[0]!r}{f': {hint}' if hint else '; '}{introduction}"
            f" {', '.join(known)}"
        )


def respell_keys(table: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """Return a table with ``old`` (dash or underscore) replaced by ``new`` in its keys.

    Raises :class:`TableError` for a key that is present in both spellings.
    """
    first: dict[str, str] = {}
    for key in table:
        other = first.setdefault(key.replace(old, new), key)
        if other != key:
            raise TableError(f"the keys {other!r} and {key!r} mean the same; keep one")
    return {key.replace(old, new): value for key, value in table.items()}


def require_table(name: str, value: Any) -> dict[str, Any]:
    """Return a value that is a table. Raises :class:`TableError` for any other value."""
    if not isinstance(value, dict):
        raise TableError(f"{name!r} must be a table: write [{name}]")
    return value


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, float) or _integer(value) is not None else None
    except OverflowError:  # TOML integers may have any length
        return float("inf")


def _integer_pair(value: Any) -> Any:
    is_pair = isinstance(value, list) and len(value) == 2  # noqa: PLR2004 (height and width)
    return tuple(value) if is_pair and all(_integer(each) is not None for each in value) else None


def _numbers(value: Any) -> Any:
    numbers = tuple(map(_number, value if isinstance(value, list) else [value]))
    return None if None in numbers else numbers


def _texts(value: Any) -> Any:
    are_texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return tuple(value) if are_texts else None


def _texts_by_name(value: Any) -> Any:
    are_texts = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    return dict(value) if are_texts else None


_VALUE_TYPES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "str": ("text", _text),
    "int": ("a whole number", _integer),
    "float": ("a number", _number),
    "tuple[int, int]": ("height and width, such as [96, 96]", _integer_pair),
    "tuple[float, ...]": ("a number, or a list with one per channel", _numbers),
    "tuple[str, ...]": ("a list of texts", _texts),
    "Mapping[str, str]": ("a table of texts", _texts_by_name),
}
