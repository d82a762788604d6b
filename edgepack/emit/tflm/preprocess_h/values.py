"""Values that are no image and no sound: scaled, shifted, standardized and quantized."""

from __future__ import annotations

from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.tflm.preprocess_h.entry import PreprocessedInput, c_about

_COPY = """\
$about
static inline void ${kws}_preprocess_${end}(const $type *values, $type *input)
{
    for (size_t i = 0; i < ${INPUT}_ELEMENTS; i++) {
        input[i] = values[i];
    }
}
"""

_VALUES = """\
$about
static inline void ${kws}_preprocess_${end}(const float *values, $type *input)
{
    for (size_t i = 0; i < ${INPUT}_ELEMENTS; i++) {
        input[i] = $stored;
    }
}
"""


def values_text(entry: PreprocessedInput) -> str:
    """Write the function of an input whose samples have its shape already."""
    shape = entry.tensor.sample_shape
    if entry.described == Preprocessing() and entry.tensor.quant is None:
        return entry.fill(_COPY, about=c_about(_about(entry, "values as they are")))
    stored = entry.stored(entry.value("values[i]", f"i % {shape[-1] if shape else 1}"))
    about = c_about(_about(entry, "real numbers"))
    helpers = entry.value_function() + entry.stored_function()
    return helpers + entry.fill(_VALUES, about=about, stored=stored)


def _about(entry: PreprocessedInput, what: str) -> str:
    return entry.fill(
        "values: ${INPUT}_ELEMENTS $what, of which the last index changes fastest.", what=what
    )
