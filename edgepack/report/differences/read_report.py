"""Reports as they are read again: JSON of anybody's, looked up by one class that checks it."""

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
    """A value of a report, with the file and the path in it, which errors name.

    What is missing or null is None, an object then has no children: reports of older versions lack
    some things. What is of another type than asked for raises :class:`ReportError`.
    """

    file: str
    path: str
    value: Any

    def __getitem__(self, key: str) -> Node:
        """Look a key of an object up."""
        return self.children().get(key, Node(self.file, self._below(key), None))

    def children(self) -> dict[str, Node]:
        """Give what an object holds, by its keys."""
        members = self._value_of(dict, "an object") or {}
        return {
            printable(key): Node(self.file, self._below(key), value)
            for key, value in members.items()
        }

    def text(self) -> str | None:
        """Give a text, without what would move a terminal's cursor."""
        text = self._value_of(str, "a text")
        return None if text is None else printable(text)

    def entries(self) -> list[Node] | None:
        """Give what a list holds."""
        if (entries := self._value_of(list, "a list")) is None:
            return None
        return [Node(self.file, f"{self.path}[{i}]", each) for i, each in enumerate(entries)]

    def texts(self) -> tuple[str, ...] | None:
        """Give a list of texts."""
        if (entries := self.entries()) is None:
            return None
        return tuple(text for each in entries if (text := each.text()) is not None)

    def flag(self) -> bool | None:
        """Give a truth."""
        flag: bool | None = self._value_of(bool, "true or false")
        return flag

    def number(self) -> float | None:
        """Give a number below 2^63 in magnitude."""
        if self.value is not None and not (
            type(self.value) in (int, float) and abs(self.value) <= _LARGEST
        ):
            self._refuse("a number below 2^63")
        number: float | None = self.value
        return number

    def _value_of(self, kind: type, called: str) -> Any:
        if self.value is not None and not isinstance(self.value, kind):
            self._refuse(called)
        return self.value

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _refuse(self, called: str) -> NoReturn:
        where = f"'{cut_middle(printable(self.path), _LONGEST)}'" if self.path else "what it holds"
        raise ReportError(
            f"{self.file}: {where} should be {called}; give a report that edgepack wrote"
        )


def read_json(path: Path) -> Node:
    """Read a JSON file of any origin; raises :class:`ReportError`."""
    name = printable(str(path))
    text = read_user_text(path, ReportError, "file")
    try:
        return Node(name, "", json.loads(text, parse_constant=_no_number))
    except RecursionError:
        why = "it is nested too deeply"
    except ValueError as error:
        why = cut_middle(printable(str(error)), _LONGEST)
    raise ReportError(f"{name}: no valid JSON: {why}; give a report that edgepack wrote")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
