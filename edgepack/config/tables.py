"""Dataclasses of settings out of tables, as people write them: what is left out has its default."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from edgepack.config.toml import require_known, respelled
from edgepack.core.codec import restore
from edgepack.core.errors import TableError

T = TypeVar("T")


def settings_from_table(kind: type[T], table: dict[str, Any], name: str) -> T:
    """Build a dataclass of a table, and those inside it of the tables in that one.

    Keys may be written with dashes. ``name`` is what the table is called in messages. Raises
    :class:`TableError` for an unknown key, a missing one that has no default and a value of another
    type, and what the dataclass itself raises.
    """
    given = respelled(table, "-", "_")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    require_known(given, known, f"[{name}] knows the keys")
    for key, field in known.items():
        if key not in given and field.default is MISSING and field.default_factory is MISSING:
            raise TableError(f"[{name}]: the key {key!r} is missing")
    hints = get_type_hints(kind)
    return kind(**{key: _value(hints[key], given[key], f"{name}.{key}") for key in given})


def _value(hint: Any, value: Any, name: str) -> Any:
    inner = next((each for each in _choices(hint) if is_dataclass(each)), None)
    if isinstance(inner, type) and isinstance(value, dict):
        return settings_from_table(inner, value, name)
    try:
        return restore(hint, value)
    except ValueError:
        table, _, key = name.rpartition(".")
        raise TableError(f"[{table}]: {key!r} must be {in_words(hint)}, not {value!r}") from None


_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def in_words(hint: Any) -> str:
    """Say what values of a type are.

    >>> in_words(tuple[int, int] | None)
    'a list of a whole number and a whole number'
    >>> in_words(tuple[tuple[str, float], ...])
    'a list of which each is a list of text and a number'
    """
    kinds = [each for each in _choices(hint) if each is not NoneType]
    if len(kinds) > 1:
        return " or ".join(map(in_words, kinds))
    (kind,) = kinds
    if get_origin(kind) is not tuple:
        return _WORDS.get(kind, "a table")
    first, *others = get_args(kind)
    if others == [Ellipsis]:
        return f"a list of which each is {in_words(first)}"
    return f"a list of {' and '.join(map(in_words, (first, *others)))}"


def _choices(hint: Any) -> tuple[Any, ...]:
    """Take a union apart."""
    is_plain = get_origin(hint) in (None, tuple, list, dict)
    return (hint,) if is_plain else get_args(hint)
