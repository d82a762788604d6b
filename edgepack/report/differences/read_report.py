"""Reading of report.json and other JSON of any origin, with every access checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from edgepack.core.errors import ReportError
from edgepack.core.printable import printable
from edgepack.core.user_files import read_user_text
from edgepack.report.format.text_table import cut_middle

_LARGEST = float(1 << 63)
_LONGEST = 120


@dataclass(frozen=True)
class Node:
    """A value of a report, with its file and its path in it, for error messages.

    A missing value is like null, as reports of older versions lack some: methods return None, and
    an object has no children. They raise :class:`ReportError` for a value of another type.
    """

    file: str
    path: str
    value: Any

    def __getitem__(self, key: str) -> Node:
        """Return the value of a key of an object."""
        return self.children().get(key, Node(self.file, self._below(key), None))

    def children(self) -> dict[str, Node]:
        """Return the values of an object, by key."""
        members = self._value_of(dict, "an object") or {}
        return {
            printable(key): Node(self.file, self._below(key), value)
            for key, value in members.items()
        }

    def text(self) -> str | None:
        """Return a string, with unprintable characters escaped."""
        text = self._value_of(str, "a string")
        return None if text is None else printable(text)

    def entries(self) -> list[Node] | None:
        """Return the values of a list."""
        if (entries := self._value_of(list, "a list")) is None:
            return None
        return [Node(self.file, f"{self.path}[{i}]", each) for i, each in enumerate(entries)]

    def texts(self) -> tuple[str, ...] | None:
        """Return a list of strings."""
        if (entries := self.entries()) is None:
            return None
        return tuple(text for each in entries if (text := each.text()) is not None)

    def flag(self) -> bool | None:
        """Return a boolean."""
        flag: bool | None = self._value_of(bool, "true or false")
        return flag

    def number(self) -> float | None:
        """Return a number of a magnitude of at most 2^63."""
        if self.value is not None and not (
            type(self.value) in (int, float) and abs(self.value) <= _LARGEST
        ):
            self._refuse("a number below 2^63")
        number: float | None = self.value
        return number

    def _value_of(self, kind: type, expected: str) -> Any:
        if self.value is not None and not isinstance(self.value, kind):
            self._refuse(expected)
        return self.value

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _refuse(self, expected: str) -> NoReturn:
        where = f"'{cut_middle(printable(self.path), _LONGEST)}'" if self.path else "its content"
        raise ReportError(
            f"{self.file}: {where} should be {expected}; pass a report that edgepack wrote"
        )


def read_json(path: Path) -> Node:
    """Read a JSON file of any origin.

    Raises :class:`ReportError` if it cannot be read or is not valid JSON.
    """
    name = printable(str(path))
    text = read_user_text(path, ReportError, "file", cure="give a report.json")
    try:
        return Node(name, "", json.loads(text, parse_constant=_refuse_constant))
    except RecursionError:
        why = "it is nested too deeply"
    except ValueError as error:
        why = cut_middle(printable(str(error)), _LONGEST)
    raise ReportError(f"{name}: not valid JSON: {why}; pass a report that edgepack wrote")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")
