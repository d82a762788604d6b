"""A mapping that cannot be changed, for frozen dataclasses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

Key = TypeVar("Key")
Value_co = TypeVar("Value_co", covariant=True)


class ReadOnlyMapping(Mapping[Key, Value_co]):
    """A copy of a mapping; unlike a MappingProxyType, it can be pickled.

    >>> ReadOnlyMapping({"kws": 1}) == {"kws": 1}
    True
    """

    def __init__(self, items: Mapping[Key, Value_co]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: Key) -> Value_co:
        return self._items[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)
