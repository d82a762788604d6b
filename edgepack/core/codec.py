"""Conversion of dataclasses to JSON, and back again by their type hints.

The JSON may come from an untrusted source: values that do not fit are rejected, and nothing in it
is ever called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from edgepack.core.errors import EdgepackError

T = TypeVar("T")


def as_json(value: Any) -> Any:
    """Convert a dataclass, nested or not, to values that JSON can hold; :func:`restore` inverts it.

    Tuples become lists, paths become strings, enumerations become their values, and the keys of
    mappings become strings. Raises TypeError for types that JSON cannot represent, such as bytes
    and arrays.

    >>> from edgepack.evaluation.results import Interval
    >>> as_json({1: (Interval(low=1, high=2.5),)})
    {'1': [{'low': 1, 'high': 2.5}]}
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, PurePath):
        return str(value)
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"a {type(value).__name__} cannot be represented in JSON")


def restore(kind: type[T], value: Any) -> T:
    """Build a dataclass, nested or not, from the values of a JSON document.

    Type hints may be dataclasses, tuples, lists, sequences (which become tuples), mappings with
    strings or integers as keys (which become dicts), unions (the first type that fits),
    enumerations (by value), paths, strings, booleans, numbers (an int is accepted for a float, and
    stays an int), None and Any. Raises ValueError for fields that are missing or unknown, and for
    values of another type.

    >>> from edgepack.evaluation.results import Interval
    >>> restore(Interval, {"low": 1, "high": 2.5})
    Interval(low=1, high=2.5)
    """
    restored: T = _restore(kind, value)
    return restored


def _restore(kind: Any, value: Any) -> Any:
    if kind is Any:
        return value
    if (origin := get_origin(kind)) is not None:
        return _restore_generic(origin, get_args(kind), value)
    if is_dataclass(kind):
        return _restore_dataclass(kind, _checked(_OBJECT, value))
    if issubclass(kind, Enum):
        return kind(value)
    if issubclass(kind, Path):
        return kind(_checked(_KINDS[str], value))
    return _checked(_KINDS[kind], value)


_KINDS: dict[Any, tuple[type, ...]] = {
    **{kind: (kind,) for kind in (str, int, bool, NoneType)},
    float: (int, float),
}


def _restore_generic(origin: Any, arguments: tuple[Any, ...], value: Any) -> Any:
    if origin in (Union, UnionType):
        return _restore_union(arguments, value)
    is_class = isinstance(origin, type)  # numpy 2's NDArray is an alias, which is none
    if is_class and issubclass(origin, Mapping):
        keys, values = arguments
        members = _checked(_OBJECT, value).items()
        parse_key = int if keys is int else str  # keys are always strings in JSON
        return {parse_key(key): _restore(values, each) for key, each in members}
    if origin not in (list, tuple, Sequence):
        raise TypeError(f"a {origin.__name__} cannot be represented in JSON")
    entries = _checked(_LIST, value)
    if origin is tuple and arguments[-1] is not Ellipsis:
        pairs = zip(arguments, entries, strict=True)
        return tuple(_restore(kind, each) for kind, each in pairs)
    restored = [_restore(arguments[0], each) for each in entries]
    return restored if origin is list else tuple(restored)


def _restore_union(kinds: tuple[Any, ...], value: Any) -> Any:
    for kind in kinds:
        with suppress(ValueError):
            return _restore(kind, value)
    raise ValueError(f"a {type(value).__name__} fits none of the types that are allowed here")


def _restore_dataclass(kind: Any, value: dict[str, Any]) -> Any:
    hints, names = _hints(kind)
    if value.keys() != names:
        mismatched = ", ".join(sorted(value.keys() ^ names))
        raise ValueError(f"{kind.__name__}: missing or unknown: {mismatched}")
    try:
        return kind(**{name: _restore(hints[name], value[name]) for name in names})
    except EdgepackError as error:  # raised by the class itself
        raise ValueError(f"{kind.__name__}: {error}") from error


@cache
def _hints(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    return get_type_hints(kind), frozenset(field.name for field in fields(kind))


_OBJECT, _LIST = (dict,), (list,)


def _checked(kinds: tuple[type, ...], value: Any) -> Any:
    """Return the value if it has one of these types; a bool is not accepted as an int."""
    if type(value) not in kinds:
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{type(value).__name__}, where {expected} is expected")
    return value
