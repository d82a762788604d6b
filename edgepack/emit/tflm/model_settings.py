"""``model_settings.h``: what firmware has to know of a model. Valid C99 and C++17."""

from __future__ import annotations

from math import prod

import numpy as np

from edgepack.core.errors import ModelError
from edgepack.emit.c.firmware_model import End, FirmwareModel
from edgepack.emit.c.source_text import C_TYPES, c_float, c_header, c_string, c_title
from edgepack.quantization.affine import real_range

_ARENA = """\
/* Bytes of the tensor arena{device}; align it to 16:
       alignas(16) static uint8_t arena[{macro}_ARENA_BYTES]; */
#define {macro}_ARENA_BYTES {arena_bytes}

/* How many inputs and outputs there are; each is described below, in the model's order. */
#define {macro}_INPUTS {inputs}
#define {macro}_OUTPUTS {outputs}
"""

_END = """\
/* The {kind} {title}: {shape} of {dtype}{meaning}. */
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
/* The names of the classes, in the order of the {whose} values. */
#define {macro}_LABELS {count}
static const char *const {name}_labels[{macro}_LABELS] = {{
{rows}
}};
"""


def model_settings_h(model: FirmwareModel) -> str:
    """Define the arena's size, and of each input and output its type, shape and quantization.

    Raises :class:`ModelError` if C has no type for the values of one.
    """
    parts = [
        _ARENA.format(
            macro=model.macro,
            device=f" on {c_title(model.device)}" if model.device else "",
            arena_bytes=model.arena_bytes,
            inputs=len(model.inputs),
            outputs=len(model.outputs),
        )
    ]
    for kind, ends in (("input", model.inputs), ("output", model.outputs)):
        parts += [_end(model, kind, index, end) for index, end in enumerate(ends)]
    if model.labels:
        parts.append(_labels(model))
    return c_header(f"{model.macro}_MODEL_SETTINGS_H", "\n".join(parts), ["<stdint.h>"])


def elements(end: End) -> int:
    """Count the values; a scalar is one. Raises :class:`ModelError` if there are none."""
    count = prod(end.tensor.shape)
    if count < 1:
        raise ModelError(
            f"{end.title}: its shape {list(end.tensor.shape)} holds no values; "
            "firmware needs inputs and outputs of a fixed size"
        )
    return count


def c_type(end: End) -> str:
    """Find the C type of the values. Raises :class:`ModelError` if C has none."""
    if end.tensor.dtype not in C_TYPES:
        raise ModelError(
            f"{end.title}: C has no type for {end.tensor.dtype}; "
            f"firmware takes and gives {', '.join(C_TYPES)}"
        )
    return C_TYPES[end.tensor.dtype]


def _end(model: FirmwareModel, kind: str, index: int, end: End) -> str:
    tensor, macro = end.tensor, f"{model.macro}_{end.name.upper()}"
    sizes = tensor.shape or (1,)  # C has no empty array
    text = _END.format(
        kind=kind,
        title=c_title(c_string(end.title)),
        shape=" x ".join(map(str, tensor.shape)) or "a scalar",
        dtype=tensor.dtype,
        meaning=_meaning(end),
        c_type=c_type(end),
        symbol=f"{model.name}_{end.name}",
        macro=macro,
        index=index,
        name=c_string(end.title),
        rank=len(tensor.shape),
        sizes=", ".join(map(str, sizes)),
        elements=elements(end),
        bytes=tensor.value_bytes,
    )
    if not (quant := _quantization(end)):
        return text
    scale, zero_point = quant
    number = f"({zero_point})" if zero_point < 0 else str(zero_point)
    return text + _SCALE.format(macro=macro, scale=c_float(scale), zero_point=number)


def _quantization(end: End) -> tuple[float, int] | None:
    """Give the scale and zero point of what is quantized with one for all its values."""
    quant = end.tensor.quant
    return (quant.scale[0], quant.zero_point[0]) if quant and len(quant.scale) == 1 else None


def _meaning(end: End) -> str:
    """Say what the integers of a quantized input or output stand for."""
    if not _quantization(end) or not end.tensor.dtype.startswith(("int", "uint")):
        return ""
    limits = np.iinfo(end.tensor.dtype)
    low, high = real_range(end.tensor)
    return (
        ".\n   A value q means the real number SCALE * (q - ZERO_POINT):\n   "
        f"{limits.min} is {low:.6g}, {limits.max} is {high:.6g}"
    )


def _labels(model: FirmwareModel) -> str:
    rows = "\n".join(f"    {c_string(label)}," for label in model.labels)
    count = len(model.labels)
    meant = [end.name for end in model.outputs if end.tensor.shape[-1:] == (count,)]
    whose = f"{meant[0]}'s" if len(meant) == 1 else "output's"
    return _LABELS.format(macro=model.macro, whose=whose, count=count, name=model.name, rows=rows)
