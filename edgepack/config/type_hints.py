"""Type hints of settings: whether a value fits one, and what to give, in words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from numbers import Integral, Real
from os import PathLike
from pathlib import Path, PurePath
from reprlib import repr as short_repr
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from edgepack.core.printable import printable

_MOST_BITS = 63  # of a signed integer in numpy, and in TOML
_CONVERTED: Mapping[Any, tuple[type, ...]] = {
    Path: (str, PathLike),
    int: (Integral,),
    float: (Real,),
}
"""What is converted to a type, such as the scalars of numpy to Python's."""

_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    Any: "a path or data",
}


class Misfit(Exception):  # noqa: N818 (callers make an error of it)
    """A value does not fit; the text says what to do, unless the hint says it all."""


def fit(hint: Any, value: Any) -> Any:
    """Return a value in the type of its hint; raises :class:`Misfit` if it does not fit.

    A str fits a Path, any sequence a tuple, and any number a float; a mapping is copied. A bool is
    no number; no path or text contains a NUL character, and paths can be encoded by the system.

    >>> fit(tuple[float, ...], [1, 2.5])
    (1.0, 2.5)
    """
    if (origin := get_origin(hint)) is not None:
        return _fit_generic(origin, get_args(hint), value)
    fitting = value if hint is Any else _fit_class(hint, value)
    if isinstance(fitting, str | PurePath) and "\0" in str(fitting):
        raise Misfit("leave the NUL character out")
    if isinstance(fitting, PurePath) and not _is_encodable(fitting):
        raise Misfit("rename it so that the system can encode it")
    return fitting


def _is_encodable(path: PurePath) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _fit_class(kind: Any, value: Any) -> Any:
    if isinstance(value, bool) and kind is not bool:
        raise Misfit
    if not isinstance(value, (kind, *_CONVERTED.get(kind, ()))):
        raise Misfit
    try:
        converted: Any = value if type(value) is kind or kind not in _CONVERTED else kind(value)
    except OverflowError:
        raise Misfit(_TOO_LARGE) from None
    except (TypeError, ValueError):  # such as a path of bytes
        raise Misfit from None
    if kind is int and converted.bit_length() > _MOST_BITS:
        raise Misfit(_TOO_LARGE)
    return converted


_TOO_LARGE = "give a number of fewer digits"


def _fit_generic(origin: Any, arguments: tuple[Any, ...], value: Any) -> Any:
    if origin in (Union, UnionType):
        return _fit_union(arguments, value)
    if issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise Misfit
        keys, values = arguments
        return {fit(keys, key): fit(values, each) for key, each in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise Misfit
    kinds = arguments
    if arguments[-1] is Ellipsis:
        kinds = arguments[:1] * len(value)
    if len(kinds) != len(value):
        raise Misfit
    return tuple(fit(kind, each) for kind, each in zip(kinds, value, strict=True))


def _fit_union(kinds: Sequence[Any], value: Any) -> Any:
    first, *others = kinds
    try:
        return fit(first, value)
    except Misfit as misfit:
        if str(misfit) or not others:  # a value with something to do has the type, at least
            raise
    return _fit_union(others, value)


def complaint(hint: Any, value: Any, misfit: Misfit) -> str:
    """Return what a value that does not fit must be, what it is, and what to do.

    >>> try:
    ...     fit(tuple[str, ...], "rp2040")
    ... except Misfit as misfit:
    ...     print(complaint(tuple[str, ...], "rp2040", misfit))
    must be a list, each item text, not 'rp2040'; give a list: ['rp2040']
    """
    cure = str(misfit)
    if not cure:
        with suppress(Misfit):
            fit(hint, [value])
            cure = f"give a list: {shown([value])}"
    return f"must be {describe_type(hint)}, not {shown(value)}{cure and f'; {cure}'}"


def describe_type(hint: Any) -> str:
    """Describe a type in words, for error messages.

    >>> describe_type(tuple[int, int] | None)
    'a list of a whole number and a whole number'
    >>> describe_type(tuple[tuple[str, float], ...])
    'a list, each item a list of text and a number'
    """
    kinds = [each for each in choices(hint) if each is not NoneType]
    if len(kinds) > 1:
        return " or ".join(map(describe_type, kinds))
    (kind,) = kinds
    if is_dataclass(kind):
        return describe_settings(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is None:
        return _WORDS[kind]
    if issubclass(origin, Mapping):
        return f"a table or dict, each value {describe_type(arguments[1])}"
    first, *others = arguments
    if others == [Ellipsis]:
        return f"a list, each item {describe_type(first)}"
    return f"a list of {' and '.join(map(describe_type, arguments))}"


def describe_settings(kind: Any) -> str:
    """Return how a class of settings is called; of a base without fields, how its subclasses are.

    >>> from edgepack.config.firmware import NamedModel
    >>> describe_settings(NamedModel)
    'edgepack.NamedModel(path=...)'
    """
    if not fields(kind):
        return " or ".join(map(describe_settings, kind.__subclasses__()))
    required = [
        f"{each.name}=..."
        for each in fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    ]
    return f"edgepack.{kind.__name__}({', '.join(required) or '...'})"


def choices(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself if it is none."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def shown(value: object) -> str:
    """Return a value for a message, in short; its type if it cannot be printed."""
    try:
        return printable(short_repr(value))
    except Exception:  # noqa: BLE001 (whatever the caller's own class raises)
        return f"a value of type {type(value).__name__}"
