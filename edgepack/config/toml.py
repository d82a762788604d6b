"""TOML tables: their keys and values, checked against the fields of dataclasses."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from edgepack.core.errors import TableError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


_DEEPEST = 100
"""The parser takes minutes for a key of many parts."""

_AROUND_KEYS = re.compile(r"[=,\[\]{}]")
_QUOTED_PART = re.compile(r"[\"'][ \t]*\.")

_LONG_NUMBER = re.compile(r"0[xob][0-9a-fA-F_]{1000}")
"""Python reads such numbers, but writes none of them, not even in a message."""


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML. Raises :class:`TableError` for anything else."""
    if _has_deep_key(text):
        raise TableError("not valid TOML: a key is nested too deeply")
    if _LONG_NUMBER.search(text):
        raise TableError("not valid TOML: a number has too many digits")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TableError("not valid TOML: it is nested too deeply") from None
    except ValueError as error:  # also for a number of too many digits
        raise TableError(f"not valid TOML: {error}") from error


def _has_deep_key(text: str) -> bool:
    """Whether any key may have so many parts; what looks like one in a string counts, too."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return any(
        len(_QUOTED_PART.findall(line)) >= _DEEPEST
        or any(part.count(".") >= _DEEPEST for part in _AROUND_KEYS.split(line))
        for line in lines
    )


def checked_values(
    kind: type, table: dict[str, Any], names: Iterable[str] | None = None
) -> dict[str, Any]:
    """Take the fields of a dataclass out of a table, all or the named, converted to their types.

    Raises :class:`TableError` for a value of another type, and for a missing one that has no
    default.
    """
    wanted = None if names is None else set(names)
    found = {}
    for field in fields(kind):
        if wanted is not None and field.name not in wanted:
            continue
        if field.name in table:
            found[field.name] = checked_value(field.name, table[field.name], str(field.type))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise TableError(f"the key {field.name!r} is missing")
    return found


def checked_value(name: str, given: Any, kind: str) -> Any:
    """Convert a value to a type, by its annotation. Raises :class:`TableError` if it is none."""
    wanted, convert = _KINDS_OF_VALUE[kind.removesuffix(" | None")]
    converted = convert(given)
    if converted is None:
        raise TableError(f"{name!r} must be {wanted}, not {given!r}")
    return converted


def require_known(table: dict[str, Any], known: Iterable[str], said: str) -> None:
    """Raise :class:`TableError` for a key that is not among the known ones."""
    known = list(known)
    if unknown := sorted(table.keys() - set(known)):
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f": did you mean {near[0]!r}?" if near else ";"
        raise TableError(f"unknown key {unknown[0]!r}{hint} {said} {', '.join(known)}")


def respelled(table: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """Spell keys in one way, with dashes or with underscores.

    Raises :class:`TableError` for a key that is there in both.
    """
    first: dict[str, str] = {}
    for key in table:
        other = first.setdefault(key.replace(old, new), key)
        if other != key:
            raise TableError(f"the keys {other!r} and {key!r} are the same")
    return {key.replace(old, new): value for key, value in table.items()}


def require_table(name: str, given: Any) -> dict[str, Any]:
    """Return a table. Raises :class:`TableError` for a value in its place."""
    if not isinstance(given, dict):
        raise TableError(f"{name!r} must be a table: write [{name}]")
    return given


def _text(given: Any) -> Any:
    return given if isinstance(given, str) else None


def _whole(given: Any) -> Any:
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _number(given: Any) -> Any:
    try:
        return float(given) if isinstance(given, float) or _whole(given) is not None else None
    except OverflowError:  # TOML has whole numbers of any length
        return float("inf")


def _two(given: Any) -> Any:
    is_two = isinstance(given, list) and len(given) == 2  # noqa: PLR2004 (height and width)
    return tuple(given) if is_two and all(_whole(each) is not None for each in given) else None


def _numbers(given: Any) -> Any:
    found = tuple(map(_number, given if isinstance(given, list) else [given]))
    return None if None in found else found


def _texts(given: Any) -> Any:
    are_texts = isinstance(given, list) and all(isinstance(each, str) for each in given)
    return tuple(given) if are_texts else None


def _texts_by_name(given: Any) -> Any:
    are_texts = isinstance(given, dict) and all(isinstance(each, str) for each in given.values())
    return dict(given) if are_texts else None


_KINDS_OF_VALUE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "str": ("text", _text),
    "int": ("a whole number", _whole),
    "float": ("a number", _number),
    "tuple[int, int]": ("height and width, such as [96, 96]", _two),
    "tuple[float, ...]": ("a number, or a list of one for each channel", _numbers),
    "tuple[str, ...]": ("a list of texts", _texts),
    "Mapping[str, str]": ("a table of texts", _texts_by_name),
}
