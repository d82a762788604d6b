"""``preprocess.h``: what the recipe does to the samples of each input, done on the device.

One file a subject: values, images, audio. What they share is in
:mod:`edgepack.emit.tflm.preprocess_h.entry`.
"""

from __future__ import annotations

from edgepack.config.preprocessing import Preprocessing
from edgepack.core.errors import ModelError
from edgepack.emit.c.firmware_model import FirmwareModel
from edgepack.emit.c.source_text import c_header
from edgepack.emit.preprocessing_fit import require_fit
from edgepack.emit.tflm.preprocess_h.audio import audio_text
from edgepack.emit.tflm.preprocess_h.entry import PreprocessedInput
from edgepack.emit.tflm.preprocess_h.image import image_text
from edgepack.emit.tflm.preprocess_h.values import values_text
from edgepack.emit.tflm.quantize_h import is_quantized

_ABOUT = """\
/*
 * From what a sensor gives to what the model takes: what was done to the samples that it was
 * calibrated and tested with. Include this in one source file only: its tables are static.
 */
"""

_ROUND_PRODUCT = """\
/*
 * A product, rounded to a float. Without this, compilers may fuse it with the sum that follows
 * into one instruction that rounds once, and results differ in their last bit.
 */
static inline float $round_product(float product)
{
    volatile float rounded = product;
    return rounded;
}

"""


def preprocess_h(model: FirmwareModel) -> str:
    """Write a function for each input that preprocesses a sample and quantizes it.

    Results equal those of :func:`edgepack.calibration.datasets.preprocess.preprocess` bit for bit,
    but for spectra, which are computed in float32 here. Raises
    :class:`~edgepack.core.errors.ConfigError` for a description that does not give what the model
    takes, and :class:`~edgepack.core.errors.ModelError` for an input with scales that
    ``quantize.h`` leaves out.
    """
    entries = [
        PreprocessedInput(model.name, end, model.preprocessing.get(end.title, Preprocessing()))
        for end in model.inputs
    ]
    functions = "\n".join(_text(entry) for entry in entries)
    name = f"{model.name}_round_product"
    helper = _ROUND_PRODUCT.replace("$round_product", name) if f"{name}(" in functions else ""
    includes = ["<math.h>"] if any(entry.needs_math for entry in entries) else []
    includes += ["<stddef.h>", "<stdint.h>"]
    includes += ['"model_settings.h"'] + ['"quantize.h"'] * ("_quantize_" in functions)
    return c_header(f"{model.macro}_PREPROCESS_H", f"{_ABOUT}\n{helper}{functions}", includes)


def _text(entry: PreprocessedInput) -> str:
    if entry.tensor.quant is not None and not is_quantized(entry.end):
        raise ModelError(
            f"input {entry.end.title!r}: {entry.tensor.dtype} is quantized in a way of its own;"
            " convert the model to int8, int16 or uint8 inputs of one scale"
        )
    require_fit(entry.end, entry.described)
    if entry.described.image:
        return image_text(entry, entry.described.image)
    if entry.described.audio:
        return audio_text(entry, entry.described.audio)
    return values_text(entry)
