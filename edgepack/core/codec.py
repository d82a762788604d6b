"""Dataclasses as JSON, and back again by their type hints.

What is read may be anybody's: what does not fit is refused, and nothing in it is called.
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
    """Turn a dataclass, nested as it may be, into what JSON holds, and :func:`restore` takes.

    Tuples become lists, paths texts, enumerations their values, and the keys of mappings texts.
    Raises TypeError for what JSON has no form for, such as bytes and arrays.

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
    raise TypeError(f"a {type(value).__name__}, which JSON has no form for")


def restore(kind: type[T], value: Any) -> T:
    """Build a dataclass, nested as it may be, of what JSON holds.

    Hints may be dataclasses, tuples, lists, sequences (which become tuples), mappings with texts
    or whole numbers as keys (which become dicts), unions (the first that fits), enumerations by
    value, paths, texts, truths, numbers (an int may stand for a float, and stays one), None and
    Any. Raises ValueError for fields that are missing or unknown, and for a value of another type.

    >>> from edgepack.evaluation.results import Interval
    >>> restore(Interval, {"low": 1, "high": 2.5})
    Interval(low=1, high=2.5)
    """
    made: T = _restore(kind, value)
    return made


def _restore(kind: Any, value: Any) -> Any:
    if kind is Any:
        return value
    if (origin := get_origin(kind)) is not None:
        return _generic(origin, get_args(kind), value)
    if is_dataclass(kind):
        return _dataclass(kind, _checked(_OBJECT, value))
    if issubclass(kind, Enum):
        return kind(value)
    if issubclass(kind, Path):
        return kind(_checked(_KINDS[str], value))
    return _checked(_KINDS[kind], value)


_KINDS: dict[Any, tuple[type, ...]] = {
    **{kind: (kind,) for kind in (str, int, bool, NoneType)},
    float: (int, float),
}


def _generic(origin: Any, arguments: tuple[Any, ...], value: Any) -> Any:
    if origin in (Union, UnionType):
        return _first(arguments, value)
    if issubclass(origin, Mapping):
        keys, values = arguments
        members = _checked(_OBJECT, value).items()
        read = int if keys is int else str  # JSON has texts as keys
        return {read(key): _restore(values, each) for key, each in members}
    if origin not in (list, tuple, Sequence):
        raise TypeError(f"a {origin.__name__}, which JSON has no form for")
    entries = _checked(_LIST, value)
    if origin is tuple and arguments[-1] is not Ellipsis:
        pairs = zip(arguments, entries, strict=True)
        return tuple(_restore(kind, each) for kind, each in pairs)
    made = [_restore(arguments[0], each) for each in entries]
    return made if origin is list else tuple(made)


def _first(kinds: tuple[Any, ...], value: Any) -> Any:
    for kind in kinds:
        with suppress(ValueError):
            return _restore(kind, value)
    raise ValueError(f"a {type(value).__name__}, where none belongs that is like it")


def _dataclass(kind: Any, value: dict[str, Any]) -> Any:
    hints, needed = _hints(kind)
    if value.keys() != needed:
        odd = ", ".join(sorted(value.keys() ^ needed))
        raise ValueError(f"{kind.__name__}: missing or unknown: {odd}")
    try:
        return kind(**{name: _restore(hints[name], value[name]) for name in needed})
    except EdgepackError as error:  # what the class itself refuses
        raise ValueError(f"{kind.__name__}: {error}") from error


@cache
def _hints(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    return get_type_hints(kind), frozenset(field.name for field in fields(kind))


_OBJECT, _LIST = (dict,), (list,)


def _checked(kinds: tuple[type, ...], value: Any) -> Any:
    """Give a value of these types; a truth is no number."""
    if type(value) not in kinds:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"a {type(value).__name__}, where {wanted} belongs")
    return value
