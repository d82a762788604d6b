"""C code for inputs other than images and audio: scale, shift, standardize and quantize."""

from __future__ import annotations

from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.tflm.preprocess_h.entry import PreprocessedInput, comment_block

_COPY = """\
$about
static inline void ${model}_preprocess_${io}(const $type *values, $type *input)
{
    for (size_t i = 0; i < ${INPUT}_ELEMENTS; i++) {
        input[i] = values[i];
    }
}
"""

_VALUES = """\
$about
static inline void ${model}_preprocess_${io}(const float *values, $type *input)
{
    for (size_t i = 0; i < ${INPUT}_ELEMENTS; i++) {
        input[i] = $stored;
    }
}
"""


def values_text(entry: PreprocessedInput) -> str:
    """Write the function of an input whose samples already have the input's shape."""
    shape = entry.tensor.sample_shape
    if entry.preprocessing == Preprocessing() and entry.tensor.quant is None:
        return entry.render(_COPY, about=comment_block(_comment(entry, "values, copied unchanged")))
    stored = entry.convert_call(
        entry.normalize_call("values[i]", f"i % {shape[-1] if shape else 1}")
    )
    about = comment_block(_comment(entry, "real numbers"))
    helpers = entry.normalize_function() + entry.round_function()
    return helpers + entry.render(_VALUES, about=about, stored=stored)


def _comment(entry: PreprocessedInput, what: str) -> str:
    return entry.render(
        "values: ${INPUT}_ELEMENTS $what, in row-major order (the last index varies fastest).",
        what=what,
    )
