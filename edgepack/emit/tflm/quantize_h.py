"""``quantize.h``: quantize and dequantize a model's inputs and outputs. Valid C99 and C++17.

The functions match TensorFlow Lite's QUANTIZE and DEQUANTIZE bit for bit, as
:mod:`edgepack.quantization.affine` does; where TensorFlow Lite overflows, they saturate.
"""

from __future__ import annotations

from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.c.source_text import c_header, c_title
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.emit.tflm.integer_only import RANGE_BITS, integer_constants

_TYPES = ("int8", "int16", "uint8")

_INTRODUCTION = """\
/*
 * Conversion between real values and quantized ones:  real = scale * (value - zero point).
 *
 * Results are identical to those of TensorFlow Lite's QUANTIZE and DEQUANTIZE, bit for bit. Values
 * out of range saturate, and NaN becomes the zero point, which represents real 0. Compile without
 * -ffast-math, which may change the last bit.
 *
 * The functions that end in _fixed return the same results with integer arithmetic only, for chips
 * without an FPU. They represent a real value as an int32_t, real * 2^FRACTION_BITS, in which the
 * model's range takes up {bits} bits.
 */
"""

_NO_FUNCTIONS = """\
/* No input or output is quantized with a single scale, so there is nothing to convert. */
"""

_ROUND = """\
/*
 * Rounds steps to the nearest integer, half away from zero, clamped to [lowest, highest]. NaN
 * becomes 0.
 */
static inline int32_t {name}_round(float steps, int32_t lowest, int32_t highest)
{{
    int32_t whole = 0;

    if (steps >= (float)highest) {{
        whole = highest;
    }} else if (steps <= (float)lowest) {{
        whole = lowest;
    }} else if (steps > (float)lowest) {{ /* not NaN */
        float rest;
        whole = (int32_t)steps;
        rest = steps - (float)whole; /* exact; steps + 0.5f is not */
        whole += rest >= 0.5f ? 1 : 0;
        whole -= rest <= -0.5f ? 1 : 0;
    }}
    return whole;
}}

/*
 * Rounds product / 2^shift to the nearest integer, half up, like float arithmetic: a float has 24
 * bits, so a fraction less than half a unit in the last place below 1/2 is rounded up to 1/2 first.
 */
static inline int32_t {name}_round_fixed(uint64_t product, unsigned shift)
{{
    uint32_t top = (uint32_t)(product >> shift);

    while ((top & (top - 1u)) != 0u) {{
        top &= top - 1u; /* leaves the highest bit: half a unit in the last place is top / 2^24 */
    }}
    product += ((uint64_t)1 << (shift - 1u)) + ((uint64_t)top << (shift - 24u));
    return (int32_t)(product >> shift);
}}
"""

_FUNCTIONS = """\
/* {title}: {type}, scale {scale:.9g}, zero point {zero_point} */

#define {macro}_FRACTION_BITS ({fraction_bits})

static inline {name}_{io}_t {name}_quantize_{io}(float real)
{{
    const float steps = real / {macro}_SCALE;

    return ({name}_{io}_t)({name}_round(steps, {lowest}, {highest}) + {macro}_ZERO_POINT);
}}

static inline float {name}_dequantize_{io}({name}_{io}_t value)
{{
    return (float)((int32_t)value - {macro}_ZERO_POINT) * {macro}_SCALE;
}}

/* Quantizes the real value real / 2^{fraction_bits}. */
static inline {name}_{io}_t {name}_quantize_{io}_fixed(int32_t real)
{{
    const uint32_t limit = real < 0 ? {lowest_units}u : {highest_units}u; /* end of the range */
    uint32_t size = real < 0 ? 0u - (uint32_t)real : (uint32_t)real;
    int32_t steps;

    size = size < limit ? size : limit;
    steps = {name}_round_fixed(size * UINT64_C({inverse}), {inverse_shift}u);
    return ({name}_{io}_t)((real < 0 ? -steps : steps) + {macro}_ZERO_POINT);
}}

/* Returns the real value times 2^{fraction_bits}, rounded. */
static inline int32_t {name}_dequantize_{io}_fixed({name}_{io}_t value)
{{
    const int32_t steps = (int32_t)value - {macro}_ZERO_POINT;
    const uint32_t size = (uint32_t)(steps < 0 ? -steps : steps);
    const int32_t real = {name}_round_fixed(size * UINT64_C({fixed_scale}), {scale_shift}u);

    return steps < 0 ? -real : real;
}}
"""


def quantize_h(model: FirmwareModel) -> str:
    """Write the header, with functions for the inputs and outputs that have a single scale.

    Raises :class:`~edgepack.core.errors.ModelError` for an invalid scale or zero point.
    """
    parts = [
        _functions(model, io)
        for io in (*model.inputs, *model.outputs)
        if is_quantized_per_tensor(io)
    ]
    body = (
        [_INTRODUCTION.format(bits=RANGE_BITS), _ROUND.format(name=model.name), *parts]
        if parts
        else [_NO_FUNCTIONS]
    )
    return c_header(
        f"{model.macro}_QUANTIZE_H", "\n".join(body), ["<stdint.h>", '"model_settings.h"']
    )


def is_quantized_per_tensor(io: IOTensor) -> bool:
    """Whether an input or output is int8, int16 or uint8 with a single scale."""
    quant = io.tensor.quant
    return quant is not None and len(quant.scale) == 1 and io.tensor.dtype in _TYPES


def _functions(model: FirmwareModel, io: IOTensor) -> str:
    assert io.tensor.quant is not None  # noqa: S101 (checked by the caller)
    constants = integer_constants(io.tensor)
    return _FUNCTIONS.format(
        name=model.name,
        io=io.name,
        macro=f"{model.macro}_{io.name.upper()}",
        title=c_title(io.title),
        type=io.tensor.dtype,
        scale=io.tensor.quant.scale[0],
        zero_point=io.tensor.quant.zero_point[0],
        fraction_bits=constants.fraction_bits,
        lowest=constants.lowest_steps,
        highest=constants.highest_steps,
        lowest_units=constants.lowest_units,
        highest_units=constants.highest_units,
        inverse=constants.inverse,
        inverse_shift=constants.inverse_shift,
        fixed_scale=constants.scale,
        scale_shift=constants.scale_shift,
    )
