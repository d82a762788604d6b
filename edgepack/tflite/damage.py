"""Detect damage in a .tflite file, before anything else reads it.

Numbers and types of fields are those of TensorFlow Lite's ``schema.fbs``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgepack.core.errors import ModelError
from edgepack.tflite.flatbuffer_tables import (
    Damage,
    FlatBuffer,
    FlatBufferTable,
    Violation,
    describe_damage,
)
from edgepack.tflite.quantization_damage import Quantized, require_quantization

_MAX_DIMENSIONS = 32
"""The limit of numpy; interpreters support fewer."""

_MAX_BYTES = 2**63 - 1
"""Interpreters count the bytes of a tensor with 64 bits."""

_BITS = {
    "COMPLEX128": 128,
    **dict.fromkeys(("INT64", "UINT64", "FLOAT64", "COMPLEX64"), 64),
    **dict.fromkeys(("INT32", "UINT32", "FLOAT32"), 32),
    **dict.fromkeys(("INT16", "UINT16", "FLOAT16", "BFLOAT16"), 16),
    **dict.fromkeys(("INT8", "UINT8", "BOOL"), 8),
    "INT4": 4,
    "INT2": 2,
}
_TYPES = {number: name for name, number in vars(schema.TensorType).items() if name.isupper()}

_Bytes: TypeAlias = NDArray[np.uint8] | None
"""The content of a buffer, empty for a computed tensor; None if it is outside the FlatBuffer."""


@dataclass(frozen=True)
class _Tensor:
    """The properties that determine how a tensor may be used."""

    is_constant: bool
    is_initialized: bool  # it has a value before any operator runs


def require_undamaged(data: bytes) -> None:
    """Raise :class:`ModelError` if a .tflite file is damaged, or breaks the rules of the format.

    Checks every index and count against what it refers to, constants against their shapes,
    quantization against its tensor, and the order of operators against their inputs. Time and
    memory are proportional to the size of the file.
    """
    try:
        _require_model(FlatBuffer(data).root())
    except Damage as damage:
        raise ModelError(describe_damage(damage)) from None


def _require_model(model: FlatBufferTable) -> None:
    are_custom = [_is_custom(code) for code in model.tables(1)]
    buffers = [_buffer(table) for table in model.tables(4)]
    counts = [_require_graph(graph, are_custom, buffers) for graph in model.tables(2)]
    if not counts:
        raise Damage("it contains no graph")
    for entry in model.tables(6):
        entry.text(0)
        _require_unread_index("metadata", entry.number(1, "u4"), "buffer", len(buffers))
    for signature in model.tables(7):
        signature.text(2)
        graph = signature.number(4, "u4")
        _require_unread_index("a signature", graph, "graph", len(counts))
        for entry in (*signature.tables(0), *signature.tables(1)):
            entry.text(0)
            _require_unread_index("a signature", entry.number(1, "u4"), "tensor", counts[graph])


def _is_custom(code: FlatBufferTable) -> bool:
    """Check an operator code; return whether it is that of a custom operator."""
    for field, dtype in ((0, "i1"), (2, "i4"), (3, "i4")):
        code.number(field, dtype)
    return bool(code.text(1))


def _buffer(table: FlatBufferTable) -> _Bytes:
    content = table.numbers(0, "u1")
    is_outside = table.number(1, "u4") > 1  # its offset in the file
    return None if is_outside else content


def _require_graph(graph: FlatBufferTable, are_custom: list[bool], buffers: list[_Bytes]) -> int:
    """Check a graph; return its number of tensors."""
    tensors = [_tensor(index, table, buffers) for index, table in enumerate(graph.tables(0))]
    inputs, outputs = graph.numbers(1, "i4"), graph.numbers(2, "i4")
    _require_indices("the graph", inputs, len(tensors))
    _require_indices("the graph", outputs, len(tensors))
    known = {index for index, tensor in enumerate(tensors) if tensor.is_initialized}
    known.update(inputs.tolist())
    fixed = {index for index, tensor in enumerate(tensors) if tensor.is_constant}
    fixed.update(inputs.tolist())
    for position, operator in enumerate(graph.tables(3)):
        name = f"operator {position}"
        code = operator.number(0, "u4")
        _require_index(name, code, "operator code", len(are_custom))
        read, written = operator.numbers(1, "i4"), operator.numbers(2, "i4")
        intermediate = operator.numbers(8, "i4")
        operator.numbers(5, "u1")  # custom options
        for options in (operator.table(4), operator.table(12)):
            if options is not None:
                options.require_inside()
        _require_indices(name, read[read != -1], len(tensors))
        _require_indices(name, written, len(tensors))
        _require_indices(name, intermediate[intermediate != -1], len(tensors))
        if not are_custom[code]:  # the operator of Ethos-U has scratch tensors as inputs
            _require_known(name, read[read != -1].tolist(), known)
        if overwritten := fixed.intersection(written.tolist()):
            raise Violation(f"{name} writes tensor {min(overwritten)}, which already has a value")
        known.update(written.tolist())
        fixed.update(written.tolist())
    _require_known("the graph", outputs.tolist(), known)
    return len(tensors)


def _tensor(index: int, table: FlatBufferTable, buffers: list[_Bytes]) -> _Tensor:
    """Check a tensor on its own."""
    name = f"tensor {index}"
    table.text(3)
    kind, buffer = _TYPES.get(table.number(1, "i1")), table.number(2, "u4")
    if kind is None:
        raise Damage(f"{name} has a type that does not exist")
    _require_index(name, buffer, "buffer", len(buffers))
    shape = table.numbers(0, "i4").tolist()
    table.numbers(7, "i4")
    for variant in table.tables(9):
        variant.numbers(0, "i4")
    if min(shape, default=0) < 0:
        raise Damage(f"{name} has an impossible shape")
    if len(shape) > _MAX_DIMENSIONS:
        raise Violation(
            f"{name} has {len(shape):,} dimensions, but at most {_MAX_DIMENSIONS} are possible"
        )
    content, is_sparse = buffers[buffer], _visit_sparsity(table.table(6))
    stored = None if content is None else len(content)
    needed = (prod(shape) * _BITS.get(kind, 8) + 7) // 8
    if needed > _MAX_BYTES:
        raise Damage(f"{name} is larger than any memory")
    if stored and stored != needed and kind in _BITS and not is_sparse:
        raise Violation(f"{name} has {stored:,} bytes, but its shape needs {needed:,}")
    is_external, is_variable = table.number(10, "u4") > 0, table.number(5, "u1") > 0
    is_constant = stored != 0 or is_external
    values = content if stored and not is_sparse else None
    require_quantization(Quantized(name, kind, shape, is_constant, values), table.table(4))
    return _Tensor(is_constant, is_initialized=is_constant or is_variable or not needed)


def _visit_sparsity(sparsity: FlatBufferTable | None) -> bool:
    """Check the sparsity parameters of a tensor; return whether there are any."""
    if sparsity is None:
        return False
    sparsity.numbers(0, "i4")
    sparsity.numbers(1, "i4")
    for dimension in sparsity.tables(2):
        dimension.require_inside()
    return True


def _require_index(user: str, index: int, what: str, count: int) -> None:
    if index >= count:
        raise Damage(f"{user} refers to {what} {index:,} of {count:,}")


def _require_unread_index(user: str, index: int, what: str, count: int) -> None:
    """Check an index that interpreters do not need to run the model."""
    if index >= count:
        raise Violation(f"{user} refers to {what} {index:,} of {count:,}")


def _require_indices(user: str, indices: NDArray[Any], count: int) -> None:
    invalid = indices[(indices < 0) | (indices >= count)]
    if len(invalid):
        raise Damage(f"{user} refers to tensor {invalid[0]:,} of {count:,}")


def _require_known(user: str, indices: Iterable[int], known: set[int]) -> None:
    for index in indices:
        if index not in known:
            raise Violation(f"{user} reads tensor {index}, which has no value yet")
