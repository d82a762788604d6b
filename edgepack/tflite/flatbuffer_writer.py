"""Write FlatBuffers of any schema from nested tables.

:mod:`edgepack.tflite.flatbuffer_tables` reads them. Fields are identified by their number in the
schema, from 0. Equal tables are written as equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np


@dataclass(frozen=True)
class Number:
    """An integer that is not an offset; ``kind`` is the builder's name of its type (``Uint32``)."""

    kind: str
    value: int


@dataclass(frozen=True)
class Floats:
    """A vector of float32."""

    values: Sequence[float]


@dataclass(frozen=True)
class NewTable:
    """A table, by the number of each field.

    A field is a number, a string, a table or a vector; None and empty values are omitted. A vector
    of tables is a tuple. A union is two fields: its type, a ``Uint8``, and the table.
    """

    fields: Mapping[int, Any]


def write_tables(root: NewTable, identifier: bytes) -> bytes:
    """Return a FlatBuffer with a root table and a file identifier of four bytes."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, root), identifier)
    return bytes(builder.Output())


def _write(builder: Any, value: Any) -> int:
    """Write a value that is stored by offset, its parts first, and return the offset."""
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, Floats):
        builder.StartVector(4, len(value.values), 4)
        for number in reversed(value.values):
            builder.PrependFloat32(float(np.float32(number)))
        return int(builder.EndVector())
    if isinstance(value, tuple):
        offsets = [_write(builder, each) for each in value]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())
    return _write_table(builder, value)


def _write_table(builder: Any, table: NewTable) -> int:
    fields = {field: value for field, value in table.fields.items() if value not in (None, "", ())}
    offsets = {
        field: _write(builder, value)
        for field, value in fields.items()
        if not isinstance(value, Number)
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for field, value in fields.items():
        if isinstance(value, Number):
            getattr(builder, f"Prepend{value.kind}Slot")(field, value.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(field, offsets[field], 0)
    return int(builder.EndObject())
