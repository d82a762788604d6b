"""The base of settings: what a caller passes is checked against the type hints."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields
from inspect import cleandoc
from numbers import Number
from pathlib import PurePath
from typing import Any, get_type_hints

from edgepack.config.type_hints import Misfit, complaint, fit
from edgepack.core.errors import ConfigError
from edgepack.core.read_only import ReadOnlyMapping


class Settings:
    """Base of the dataclasses of settings.

    Each value is checked against its type hint. A str is accepted for a Path, any sequence for a
    tuple, and any number for a float; what does not fit raises :class:`ConfigError`. Mappings are
    copied, but for those that provide samples. Settings are equal, and have the same hash, if their
    values are equal; what provides samples, such as an array, is equal only to itself.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        # What a class inherits is looked for in its own help.
        parents = [each.__doc__ for each in cls.__bases__ if each is not Settings]
        cls.__doc__ = "\n\n".join(cleandoc(each or "") for each in (cls.__doc__, *parents))
        # Those that a dataclass would have do not work for arrays and mappings.
        cls.__eq__ = Settings.__eq__  # type: ignore[method-assign]
        cls.__hash__ = Settings.__hash__  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for name in [each.name for each in fields(self)]:  # type: ignore[arg-type]  # a dataclass
            value = getattr(self, name)
            try:
                fitting = fit(hints[name], value)
            except Misfit as misfit:
                wrong = complaint(hints[name], value, misfit)
                raise ConfigError(f"{type(self).__name__}: {name} {wrong}") from None
            if hints[name] is not Any and isinstance(fitting, dict):
                fitting = ReadOnlyMapping(fitting)
            object.__setattr__(self, name, fitting)  # the class is frozen

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash(_compared(self))


def _compared(settings: Any) -> tuple[Hashable, ...]:
    return tuple(_hashable(getattr(settings, each.name)) for each in fields(settings))


def _hashable(value: Any) -> Hashable:
    """Return what a value is compared by: for objects that provide samples, their identity."""
    if isinstance(value, ReadOnlyMapping):
        return frozenset((key, _hashable(each)) for key, each in value.items())
    if isinstance(value, tuple):
        return tuple(map(_hashable, value))
    if value is None or isinstance(value, str | Number | PurePath | Settings):
        return value
    return id(value)
