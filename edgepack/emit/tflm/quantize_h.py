"""quantize.h: between real values and the integers of a model's inputs and outputs, C99 and C++17.

The functions compute what TensorFlow Lite's QUANTIZE and DEQUANTIZE do, bit for bit, as
:mod:`edgepack.quantization.affine` does; where TensorFlow Lite overflows, they saturate.
"""

from __future__ import annotations

from edgepack.emit.c.firmware_model import End, FirmwareModel
from edgepack.emit.c.source_text import c_header, c_title
from edgepack.emit.tflm.integer_only import RANGE_BITS, integer_only

_TYPES = ("int8", "int16", "uint8")

_ABOUT = """\
/*
 * Real values and the integers that stand for them:  real = scale * (value - zero point).
 *
 * Each function gives what TensorFlow Lite's QUANTIZE or DEQUANTIZE gives, to the last bit; values
 * out of range become the nearest in range, and NaN becomes the zero point, which is real 0.
 * -ffast-math takes liberties with the last bit: compile without it.
 *
 * The functions in _fixed use integers alone, for chips without an FPU, and give the same. Their
 * real values are an int32_t, real * 2^FRACTION_BITS; the model's range takes {bits} of its bits.
 */
"""

_NONE = """\
/* No input or output is quantized with a scale of its own: there is nothing to convert. */
"""

_ROUND = """\
/* The whole number nearest to steps, halves away from zero, from lowest to highest; NaN gives 0. */
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
 * The whole number nearest to product / 2^shift, halves up, the way of a float: it has 24 bits,
 * and what lies less than half of the last one below a half has been rounded up to it already.
 */
static inline int32_t {name}_round_fixed(uint64_t product, unsigned shift)
{{
    uint32_t top = (uint32_t)(product >> shift);

    while ((top & (top - 1u)) != 0u) {{
        top &= top - 1u; /* leaves the highest bit: half of the float's last one is top / 2^24 */
    }}
    product += ((uint64_t)1 << (shift - 1u)) + ((uint64_t)top << (shift - 24u));
    return (int32_t)(product >> shift);
}}
"""

_FUNCTIONS = """\
/* {title}: {type}, scale {scale:.9g}, zero point {zero_point} */

#define {macro}_FRACTION_BITS ({fraction_bits})

static inline {name}_{end}_t {name}_quantize_{end}(float real)
{{
    const float steps = real / {macro}_SCALE;

    return ({name}_{end}_t)({name}_round(steps, {lowest}, {highest}) + {macro}_ZERO_POINT);
}}

static inline float {name}_dequantize_{end}({name}_{end}_t value)
{{
    return (float)((int32_t)value - {macro}_ZERO_POINT) * {macro}_SCALE;
}}

/* Quantizes real / 2^{fraction_bits}. */
static inline {name}_{end}_t {name}_quantize_{end}_fixed(int32_t real)
{{
    const uint32_t limit = real < 0 ? {lowest_units}u : {highest_units}u; /* of the range */
    uint32_t size = real < 0 ? 0u - (uint32_t)real : (uint32_t)real;
    int32_t steps;

    size = size < limit ? size : limit;
    steps = {name}_round_fixed(size * UINT64_C({inverse}), {inverse_shift}u);
    return ({name}_{end}_t)((real < 0 ? -steps : steps) + {macro}_ZERO_POINT);
}}

/* The real value times 2^{fraction_bits}, rounded. */
static inline int32_t {name}_dequantize_{end}_fixed({name}_{end}_t value)
{{
    const int32_t steps = (int32_t)value - {macro}_ZERO_POINT;
    const uint32_t size = (uint32_t)(steps < 0 ? -steps : steps);
    const int32_t real = {name}_round_fixed(size * UINT64_C({fixed_scale}), {scale_shift}u);

    return steps < 0 ? -real : real;
}}
"""


def quantize_h(model: FirmwareModel) -> str:
    """Write the header; what is not quantized with one scale is left as it is.

    Raises :class:`~edgepack.core.errors.ModelError` for a scale or zero point that makes no sense.
    """
    parts = [_of_end(model, end) for end in (*model.inputs, *model.outputs) if is_quantized(end)]
    body = (
        [_ABOUT.format(bits=RANGE_BITS), _ROUND.format(name=model.name), *parts]
        if parts
        else [_NONE]
    )
    return c_header(
        f"{model.macro}_QUANTIZE_H", "\n".join(body), ["<stdint.h>", '"model_settings.h"']
    )


def is_quantized(end: End) -> bool:
    """Whether an input or output has one scale and a type that real values are quantized to."""
    quant = end.tensor.quant
    return quant is not None and len(quant.scale) == 1 and end.tensor.dtype in _TYPES


def _of_end(model: FirmwareModel, end: End) -> str:
    assert end.tensor.quant is not None  # noqa: S101 (it is quantized)
    numbers = integer_only(end.tensor)
    return _FUNCTIONS.format(
        name=model.name,
        end=end.name,
        macro=f"{model.macro}_{end.name.upper()}",
        title=c_title(end.title),
        type=end.tensor.dtype,
        scale=end.tensor.quant.scale[0],
        zero_point=end.tensor.quant.zero_point[0],
        fraction_bits=numbers.fraction_bits,
        lowest=numbers.lowest_steps,
        highest=numbers.highest_steps,
        lowest_units=numbers.lowest_units,
        highest_units=numbers.highest_units,
        inverse=numbers.inverse,
        inverse_shift=numbers.inverse_shift,
        fixed_scale=numbers.scale,
        scale_shift=numbers.scale_shift,
    )
