"""Read an untrusted FlatBuffer within its bounds.

In the FlatBuffers format a table begins with the distance back to its vtable, which holds the
offset of each field. No length or offset is trusted: one that leads out of the file raises
:class:`Damage`. So do tables that share so much that reading all of them would take much longer
than the size of the file justifies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_VISITS_A_BYTE = 4
"""Writers share almost nothing, so a whole file is read about once."""

_TABLE_COST = 16
_FIRST_FIELD = 4  # in a vtable, after its own size and the table's
_FIELD_BYTES = 2

_FORMATS = {
    np.dtype(name): struct.Struct(f"<{code}")
    for name, code in {"u1": "B", "i1": "b", "i4": "i", "u4": "I"}.items()
}
_OFFSET = struct.Struct("<I")
_VTABLE = struct.Struct("<i")
_PLACE = struct.Struct("<H")


class Damage(Exception):  # noqa: N818 (it describes the damage)
    """What is wrong with a file that no interpreter can read, as a message."""


class Violation(Damage):
    """What breaks the rules of the format, although some interpreters do not look at it."""


def describe_damage(error: Exception) -> str:
    """Return why a file is refused; ``error`` may be a parser's, too.

    >>> describe_damage(Violation("tensor 3 has 4 scales for 8 channels"))
    'invalid .tflite file: tensor 3 has 4 scales for 8 channels'
    """
    kind = "invalid" if isinstance(error, Violation) else "damaged"
    return f"{kind} .tflite file: {error}"


class FlatBuffer:
    """The bytes of a FlatBuffer, with a limit on how many may be visited in total."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._visits = _VISITS_A_BYTE * len(data) + _TABLE_COST

    def root(self) -> FlatBufferTable:
        """Return the root table of the file."""
        return FlatBufferTable(self, self.follow(0))

    def unpack(self, form: struct.Struct, at: int) -> int:
        """Read a number at an offset in the file."""
        if not 0 <= at <= len(self.data) - form.size:
            raise Damage("an offset leads out of the file")
        number: int = form.unpack_from(self.data, at)[0]
        return number

    def follow(self, at: int) -> int:
        """Return the position in the file that the offset stored at ``at`` refers to."""
        return at + self.unpack(_OFFSET, at)

    def visit(self, count: int) -> None:
        """Count bytes as visited; raises :class:`Damage` beyond the limit."""
        self._visits -= count
        if self._visits < 0:
            raise Damage("its tables overlap")


class FlatBufferTable:
    """A table of the file; fields are identified by their number in the schema, from 0."""

    __slots__ = ("_at", "_file", "_vtable", "_vtable_bytes")

    def __init__(self, file: FlatBuffer, at: int) -> None:
        file.visit(_TABLE_COST)
        self._file = file
        self._at = at
        self._vtable = at - file.unpack(_VTABLE, at)
        self._vtable_bytes = file.unpack(_PLACE, self._vtable)

    def require_inside(self) -> None:
        """Raise :class:`Damage` if a field begins outside the file, whatever it means."""
        for field in range((self._vtable_bytes - _FIRST_FIELD) // _FIELD_BYTES):
            self.number(field, "u1")

    def _place(self, field: int) -> int | None:
        """Return the position of a field in the file; None if the table omits it."""
        entry = _FIRST_FIELD + _FIELD_BYTES * field
        if entry + _FIELD_BYTES > self._vtable_bytes:
            return None
        place = self._file.unpack(_PLACE, self._vtable + entry)
        return self._at + place if place else None

    def number(self, field: int, dtype: str) -> int:
        """Read an integer of a numpy dtype; 0 if the field is omitted."""
        place = self._place(field)
        return 0 if place is None else self._file.unpack(_FORMATS[np.dtype(dtype)], place)

    def table(self, field: int) -> FlatBufferTable | None:
        """Read a table; None if the field is omitted."""
        place = self._place(field)
        return None if place is None else FlatBufferTable(self._file, self._file.follow(place))

    def tables(self, field: int) -> Iterator[FlatBufferTable]:
        """Yield the tables of a vector, none if the field is omitted."""
        start, count = self._vector(field, _OFFSET.size)
        for index in range(count):
            yield FlatBufferTable(self._file, self._file.follow(start + _OFFSET.size * index))

    def numbers(self, field: int, dtype: str) -> NDArray[Any]:
        """Return a view of a vector of numbers of a dtype; empty if the field is omitted."""
        little_endian = np.dtype(dtype).newbyteorder("<")
        start, count = self._vector(field, little_endian.itemsize)
        return np.frombuffer(self._file.data, little_endian, count, start)

    def text(self, field: int) -> str:
        """Read a string, empty if the field is omitted; raises :class:`Violation` if not UTF-8."""
        try:
            return self.numbers(field, "u1").tobytes().decode()
        except UnicodeDecodeError:
            raise Violation("a name is not UTF-8") from None

    def _vector(self, field: int, width: int) -> tuple[int, int]:
        """Return the position of a vector's first element and the number of elements.

        ``width`` is the size of an element in bytes.
        """
        place = self._place(field)
        if place is None:
            return 0, 0
        length = self._file.follow(place)
        count = self._file.unpack(_OFFSET, length)
        start = length + _OFFSET.size
        if count * width > len(self._file.data) - start:
            raise Damage("a vector leads out of the file")
        self._file.visit(count * width)
        return start, count
