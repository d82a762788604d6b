"""``test_vectors.h``: golden inputs and outputs of a model. Valid C99 and C++17."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.core.errors import ModelError
from edgepack.emit.c.firmware_model import End, FirmwareModel
from edgepack.emit.c.source_text import c_float, c_header, c_rows

_INTRODUCTION = """\
/* Inputs, and the outputs that TensorFlow Lite Micro's reference kernels compute of them. A model
   that keeps a state between runs expects them in this order, from its initial state on. */
#define {macro}_VECTORS {count}
"""

_ARRAY = """\
{declared} = {{
{rows}
}};
"""

_LONGEST = 100 - len(" = {")
_PROMOTED = 4
"""Literals of narrower integers are of a wider type in any case."""

_ROW = """\
    {{
{values}
    }},"""


def test_vectors_h(model: FirmwareModel) -> str:
    """Define the test vectors as arrays, one for each input and output; without any only how many.

    Raises :class:`ModelError` for a float that is no number: C has no literal for it.
    """
    parts = [_INTRODUCTION.format(macro=model.macro, count=len(model.vectors))]
    if model.vectors:
        for ends, held in (
            (model.inputs, [vector.inputs for vector in model.vectors]),
            (model.outputs, [vector.outputs for vector in model.vectors]),
        ):
            arrays = zip(*held, strict=True)
            parts += [_array(model, end, of) for end, of in zip(ends, arrays, strict=True)]
    return c_header(f"{model.macro}_TEST_VECTORS_H", "\n".join(parts), ['"model_settings.h"'])


def _array(model: FirmwareModel, end: End, values: Sequence[NDArray[Any]]) -> str:
    rows = [_ROW.format(values=c_rows(_literals(end, array), " " * 8)) for array in values]
    kind = f"static const {model.name}_{end.name}_t"
    sizes = f"[{model.macro}_VECTORS][{model.macro}_{end.name.upper()}_ELEMENTS]"
    array = f"{model.name}_vectors_{end.name}{sizes}"
    line = f"{kind} {array}"
    declared = line if len(line) <= _LONGEST else f"{kind}\n{array}"
    return _ARRAY.format(declared=declared, rows="\n".join(rows))


def _literals(end: End, array: NDArray[Any]) -> Iterable[str]:
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ModelError(
                f"a test vector of {end.title} holds values that are no numbers; "
                "give inputs for which the model computes finite outputs"
            )
        return map(c_float if array.dtype == np.float32 else repr, array.ravel().tolist())
    return (_integer(array.dtype, value) for value in array.ravel().tolist())


def _integer(dtype: np.dtype[Any], value: int) -> str:
    """Write an integer constant that is of the type without a conversion that changes it.

    >>> _integer(np.dtype("int64"), -(1 << 63)), _integer(np.dtype("uint32"), 4294967295)
    ('INT64_MIN', '4294967295u')
    """
    if dtype.itemsize < _PROMOTED:
        return f"{value:d}"
    if dtype.kind == "i" and value == np.iinfo(dtype).min:
        return f"INT{8 * dtype.itemsize}_MIN"  # C negates literals, and this one would not fit
    return f"{value}u" if dtype.kind == "u" else str(value)
