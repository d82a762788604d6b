"""Tables of TOML: their keys and values, and dataclasses of settings built from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from edgepack.config.type_hints import Misfit, choices, complaint, fit, shown
from edgepack.core.errors import TableError
from edgepack.core.wording import did_you_mean

T = TypeVar("T")


def settings_from_table(kind: type[T], table: dict[str, Any], name: str) -> T:
    """Build a dataclass from a table, and nested dataclasses from nested tables.

    Keys may be written with dashes instead of underscores. ``name`` is the table's name in
    messages. Raises :class:`TableError` for an unknown key, a missing key without a default or a
    value of the wrong type, and whatever the dataclass itself raises.
    """
    values = respell_keys(table, "-", "_")
    require_known(values, [each.name for each in fields(kind)], f"[{name}] knows the keys")  # type: ignore[arg-type]  # a dataclass
    return kind(**checked_values(kind, values, table_name=name))


def checked_values(
    kind: type,
    table: dict[str, Any],
    names: Iterable[str] | None = None,
    table_name: str | None = None,
) -> dict[str, Any]:
    """Return a table's values for the fields of a dataclass; missing keys have the defaults.

    ``names`` restricts the fields. Messages name the table if ``table_name`` is given. Raises
    :class:`TableError` for a value of the wrong type, and for a missing value without a default.
    """
    start = f"[{table_name}]: " if table_name else ""
    hints = get_type_hints(kind)
    selected = None if names is None else set(names)
    values = {}
    for field in fields(kind):
        name = field.name
        if selected is not None and name not in selected:
            continue
        if name in table:
            values[name] = _value(hints[name], table[name], name, start, table_name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise TableError(f"{start}the key {name!r} is missing")
    return values


def checked_value(hint: Any, value: Any, name: str, start: str = "") -> Any:
    """Return a value in the type of its hint. Raises :class:`TableError` if it does not fit.

    ``name`` is the key, and ``start`` the start of the message.
    """
    try:
        return fit(hint, value)
    except Misfit as misfit:
        raise TableError(f"{start}{name!r} {complaint(hint, value, misfit)}") from None


def _value(hint: Any, value: Any, name: str, start: str, table_name: str | None) -> Any:
    nested = next((each for each in choices(hint) if is_dataclass(each)), None)
    if not isinstance(nested, type):
        return checked_value(hint, value, name, start)
    if not isinstance(value, dict):
        raise TableError(f"{start}{name!r} must be a table, not {shown(value)}")
    return settings_from_table(nested, value, f"{table_name}.{name}" if table_name else name)


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
