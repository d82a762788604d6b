"""The base of settings: what a caller passes is checked against the type hints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from reprlib import repr as short_repr
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from edgepack.core.errors import ConfigError
from edgepack.core.printable import printable

_CONVERTED: Mapping[Any, tuple[type, ...]] = {
    Path: (str, PathLike),
    int: (Integral,),
    float: (Real,),
}
"""What is converted to a type, such as the scalars of numpy to Python's."""


class Settings:
    """Base of the dataclasses of settings.

    Each value is checked against its type hint. A str is accepted for a Path, any sequence for a
    tuple, and any number for a float; what does not fit raises :class:`ConfigError`.
    """

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            value = getattr(self, field.name)
            try:
                fitting = _fit(hints[field.name], value)
            except ValueError:
                raise ConfigError(
                    f"{type(self).__name__}: {field.name} must be {field.type}, not {_shown(value)}"
                ) from None
            object.__setattr__(self, field.name, fitting)  # the class is frozen


def require_settings(config: object, kind: type[Settings], function: str) -> None:
    """Raise :class:`ConfigError` if a ``function`` was not called with settings of its ``kind``."""
    if not isinstance(config, kind):
        raise ConfigError(
            f"edgepack.{function} takes an edgepack.{kind.__name__}, not {_shown(config)}"
        )


def _shown(value: object) -> str:
    """Return a value for a message, in short; its type if it cannot be printed."""
    try:
        return printable(short_repr(value))
    except Exception:  # noqa: BLE001 (whatever the caller's own class raises)
        return f"a {type(value).__name__}"


def _fit(hint: Any, value: Any) -> Any:
    """Return a value in the type of its hint; raises ValueError if it does not fit."""
    if hint is Any:
        return value
    if (origin := get_origin(hint)) is not None:
        return _fit_generic(origin, get_args(hint), value)
    if isinstance(value, bool) and hint is not bool:
        raise ValueError
    if isinstance(value, hint) or (hint is float and isinstance(value, int)):
        return value
    if isinstance(value, _CONVERTED.get(hint, ())):
        with suppress(TypeError, OverflowError):  # such as a path of bytes
            return hint(value)
    raise ValueError


def _fit_generic(origin: Any, arguments: tuple[Any, ...], value: Any) -> Any:
    if origin in (Union, UnionType):
        for each in arguments:
            with suppress(ValueError):
                return _fit(each, value)
        raise ValueError
    if issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError
        keys, values = arguments
        return {_fit(keys, key): _fit(values, each) for key, each in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError
    if arguments[-1] is Ellipsis:
        return tuple(_fit(arguments[0], each) for each in value)
    return tuple(_fit(kind, each) for kind, each in zip(arguments, value, strict=True))
