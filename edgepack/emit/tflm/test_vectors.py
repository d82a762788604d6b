"""``test_vectors.h``: golden inputs and outputs of a model as arrays. Valid C99 and C++17."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.errors import ModelError
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.c.source_text import c_float, c_header, c_rows
from edgepack.emit.tflm.firmware_model import FirmwareModel

_INTRODUCTION = """\
/* Inputs, and the outputs that TensorFlow Lite Micro's reference kernels compute from them. Run a
   model that keeps state between runs on them in this order, starting from its initial state. */
#define {macro}_VECTORS {count}
"""

_ARRAY = """\
{declaration} = {{
{rows}
}};
"""

_LONGEST_DECLARATION = 100 - len(" = {")
_INT_BYTES = 4
"""Size of C's int: literals of narrower types are of type int anyway."""

_ROW = """\
    {{
{values}
    }},"""


def test_vectors_h(model: FirmwareModel) -> str:
    """Write the header: an array per input and output, or only the count 0 if there are no vectors.

    Raises :class:`ModelError` for NaN and infinity, for which C has no literals.
    """
    parts = [_INTRODUCTION.format(macro=model.macro, count=len(model.vectors))]
    if model.vectors:
        for io_tensors, by_vector in (
            (model.inputs, [vector.inputs for vector in model.vectors]),
            (model.outputs, [vector.outputs for vector in model.vectors]),
        ):
            by_tensor = zip(*by_vector, strict=True)
            parts += [
                _array(model, io, arrays) for io, arrays in zip(io_tensors, by_tensor, strict=True)
            ]
    return c_header(f"{model.macro}_TEST_VECTORS_H", "\n".join(parts), ['"model_settings.h"'])


def _array(model: FirmwareModel, io: IOTensor, arrays: Sequence[NDArray[Any]]) -> str:
    """Define the array of one input or output; ``arrays`` has its values in each vector."""
    rows = [_ROW.format(values=c_rows(_literals(io, array), " " * 8)) for array in arrays]
    c_type = f"static const {model.name}_{io.name}_t"
    sizes = f"[{model.macro}_VECTORS][{model.macro}_{io.name.upper()}_ELEMENTS]"
    declarator = f"{model.name}_vectors_{io.name}{sizes}"
    line = f"{c_type} {declarator}"
    declaration = line if len(line) <= _LONGEST_DECLARATION else f"{c_type}\n{declarator}"
    return _ARRAY.format(declaration=declaration, rows="\n".join(rows))


def _literals(io: IOTensor, array: NDArray[Any]) -> Iterable[str]:
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ModelError(
                f"a test vector of {io.title} contains NaN or infinity; "
                "provide inputs for which the model computes finite outputs"
            )
        return map(c_float if array.dtype == np.float32 else repr, array.ravel().tolist())
    return (_integer(array.dtype, value) for value in array.ravel().tolist())


def _integer(dtype: np.dtype[Any], value: int) -> str:
    """Write an integer literal whose value is the same in its own type and in ``dtype``.

    >>> _integer(np.dtype("int64"), -(1 << 63)), _integer(np.dtype("uint32"), 4294967295)
    ('INT64_MIN', '4294967295u')
    """
    if dtype.itemsize < _INT_BYTES:
        return f"{value:d}"
    if dtype.kind == "i" and value == np.iinfo(dtype).min:
        # In C the minus is an operator on a positive literal, which would not fit.
        return f"INT{8 * dtype.itemsize}_MIN"
    return f"{value}u" if dtype.kind == "u" else str(value)
