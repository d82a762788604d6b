"""``model_settings.h``: arena size, inputs, outputs and labels of a model. Valid C99 and C++17."""

from __future__ import annotations

from math import prod

import numpy as np

from edgepack.core.errors import ModelError
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.c.source_text import C_TYPES, c_float, c_header, c_string, c_title
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.quantization.affine import real_range

_ARENA = """\
/* Tensor arena size in bytes{device}.
   The arena must be aligned to 16 bytes:
       alignas(16) static uint8_t arena[{macro}_ARENA_BYTES]; */
#define {macro}_ARENA_BYTES {arena_bytes}

/* Number of inputs and outputs; each one is described below, in the model's order. */
#define {macro}_INPUTS {inputs}
#define {macro}_OUTPUTS {outputs}
"""

_IO = """\
/* The {kind} {title}: {dtype}, {shape}{meaning}. */
typedef {c_type} {symbol}_t;
#define {macro}_INDEX {index}
#define {macro}_NAME {name}
#define {macro}_RANK {rank}
#define {macro}_SHAPE {{{sizes}}}
#define {macro}_ELEMENTS {elements}
#define {macro}_BYTES {bytes}
"""

_SCALE = """\
#define {macro}_SCALE {scale}
#define {macro}_ZERO_POINT {zero_point}
"""

_LABELS = """\
/* Class names, in the order of the values of {owner}. */
#define {macro}_LABELS {count}
static const char *const {name}_labels[{macro}_LABELS] = {{
{rows}
}};
"""


def model_settings_h(model: FirmwareModel) -> str:
    """Write the header: arena size, and the type, shape and quantization of inputs and outputs.

    Raises :class:`ModelError` if C has no type for the values of one, or if one has no values.
    """
    parts = [
        _ARENA.format(
            macro=model.macro,
            device=f" for {c_title(model.device)}" if model.device else "",
            arena_bytes=model.arena_bytes,
            inputs=len(model.inputs),
            outputs=len(model.outputs),
        )
    ]
    for kind, io_tensors in (("input", model.inputs), ("output", model.outputs)):
        parts += [_io_settings(model, kind, index, io) for index, io in enumerate(io_tensors)]
    if model.labels:
        parts.append(_labels(model))
    return c_header(f"{model.macro}_MODEL_SETTINGS_H", "\n".join(parts), ["<stdint.h>"])


def element_count(io: IOTensor) -> int:
    """Return the number of values, 1 for a scalar. Raises :class:`ModelError` if there are none."""
    count = prod(io.tensor.shape)
    if count < 1:
        raise ModelError(
            f"{io.title}: its shape {list(io.tensor.shape)} has no values; "
            "firmware needs inputs and outputs of a fixed size"
        )
    return count


def c_type(io: IOTensor) -> str:
    """Return the C type of the values. Raises :class:`ModelError` if C has none."""
    if io.tensor.dtype not in C_TYPES:
        raise ModelError(
            f"{io.title}: C has no type for {io.tensor.dtype}; "
            f"firmware supports {', '.join(C_TYPES)}"
        )
    return C_TYPES[io.tensor.dtype]


def _io_settings(model: FirmwareModel, kind: str, index: int, io: IOTensor) -> str:
    tensor, macro = io.tensor, f"{model.macro}_{io.name.upper()}"
    sizes = tensor.shape or (1,)  # C has no empty array
    text = _IO.format(
        kind=kind,
        title=c_title(c_string(io.title)),
        shape=f"shape {' x '.join(map(str, tensor.shape))}" if tensor.shape else "a scalar",
        dtype=tensor.dtype,
        meaning=_meaning(io),
        c_type=c_type(io),
        symbol=f"{model.name}_{io.name}",
        macro=macro,
        index=index,
        name=c_string(io.title),
        rank=len(tensor.shape),
        sizes=", ".join(map(str, sizes)),
        elements=element_count(io),
        bytes=tensor.value_bytes,
    )
    if not (quant := _quantization(io)):
        return text
    scale, zero_point = quant
    literal = f"({zero_point})" if zero_point < 0 else str(zero_point)
    return text + _SCALE.format(macro=macro, scale=c_float(scale), zero_point=literal)


def _quantization(io: IOTensor) -> tuple[float, int] | None:
    """Return scale and zero point if the tensor is quantized per tensor, otherwise None."""
    quant = io.tensor.quant
    return (quant.scale[0], quant.zero_point[0]) if quant and len(quant.scale) == 1 else None


def _meaning(io: IOTensor) -> str:
    """Explain in a comment which real values the integers represent; empty if not quantized."""
    if not _quantization(io) or not io.tensor.dtype.startswith(("int", "uint")):
        return ""
    limits = np.iinfo(io.tensor.dtype)
    low, high = real_range(io.tensor)
    return (
        ".\n   A quantized value q represents the real value SCALE * (q - ZERO_POINT):\n   "
        f"{limits.min} represents {low:.6g}, and {limits.max} represents {high:.6g}"
    )


def _labels(model: FirmwareModel) -> str:
    rows = "\n".join(f"    {c_string(label)}," for label in model.labels)
    count = len(model.labels)
    labelled = [io.name for io in model.outputs if io.tensor.shape[-1:] == (count,)]
    is_one_of_several = len(labelled) == 1 < len(model.outputs)
    owner = labelled[0] if is_one_of_several else "the output"
    return _LABELS.format(macro=model.macro, owner=owner, count=count, name=model.name, rows=rows)
