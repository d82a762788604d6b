"""Settings dataclasses built from TOML tables; missing keys get the field's default."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from edgepack.config.toml import require_known, respell_keys
from edgepack.core.codec import restore
from edgepack.core.errors import TableError

T = TypeVar("T")


def settings_from_table(kind: type[T], table: dict[str, Any], name: str) -> T:
    """Build a dataclass from a table, and nested dataclasses from nested tables.

    Keys may be written with dashes instead of underscores. ``name`` is the table's name in
    messages. Raises :class:`TableError` for an unknown key, a missing key without a default or a
    value of the wrong type, and whatever the dataclass itself raises.
    """
    values = respell_keys(table, "-", "_")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    require_known(values, known, f"[{name}] knows the keys")
    for key, field in known.items():
        if key not in values and field.default is MISSING and field.default_factory is MISSING:
            raise TableError(f"[{name}]: the key {key!r} is missing")
    hints = get_type_hints(kind)
    return kind(**{key: _value(hints[key], values[key], f"{name}.{key}") for key in values})


def _value(hint: Any, value: Any, name: str) -> Any:
    inner = next((each for each in _choices(hint) if is_dataclass(each)), None)
    if isinstance(inner, type) and isinstance(value, dict):
        return settings_from_table(inner, value, name)
    try:
        return restore(hint, value)
    except ValueError:
        table, _, key = name.rpartition(".")
        raise TableError(
            f"[{table}]: {key!r} must be {describe_type(hint)}, not {value!r}"
        ) from None


_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def describe_type(hint: Any) -> str:
    """Describe a type in words, for error messages.

    >>> describe_type(tuple[int, int] | None)
    'a list of a whole number and a whole number'
    >>> describe_type(tuple[tuple[str, float], ...])
    'a list, each item a list of text and a number'
    """
    kinds = [each for each in _choices(hint) if each is not NoneType]
    if len(kinds) > 1:
        return " or ".join(map(describe_type, kinds))
    (kind,) = kinds
    if get_origin(kind) is not tuple:
        return _WORDS.get(kind, "a table")
    first, *others = get_args(kind)
    if others == [Ellipsis]:
        return f"a list, each item {describe_type(first)}"
    return f"a list of {' and '.join(map(describe_type, (first, *others)))}"


def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself if it is none."""
    is_plain = get_origin(hint) in (None, tuple, list, dict)
    return (hint,) if is_plain else get_args(hint)
