"""``preprocess.h``: the project file's preprocessing of each input, as C for the device.

There is one module per kind of input: values, images, audio. Their common parts are in
:mod:`edgepack.emit.tflm.preprocess_h.entry`.
"""

from __future__ import annotations

from edgepack.config.preprocessing import Preprocessing
from edgepack.core.errors import ModelError
from edgepack.emit.c.source_text import c_header
from edgepack.emit.preprocessing_fit import require_matching_shape
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.emit.tflm.preprocess_h.audio import audio_text
from edgepack.emit.tflm.preprocess_h.entry import PreprocessedInput
from edgepack.emit.tflm.preprocess_h.image import image_text
from edgepack.emit.tflm.preprocess_h.values import values_text
from edgepack.emit.tflm.quantize_h import is_quantized_per_tensor

_INTRODUCTION = """\
/*
 * Preprocessing from raw sensor data to model input, identical to that applied to the calibration
 * and test data. Include this header in one source file only, since its tables are static.
 */
"""

_ROUND_PRODUCT = """\
/*
 * Rounds a product to float. Otherwise, compilers may fuse it with the addition that follows into
 * one instruction that rounds only once, and results may differ in the last bit.
 */
static inline float $round_product(float product)
{
    volatile float rounded = product;
    return rounded;
}

"""


def preprocess_h(model: FirmwareModel) -> str:
    """Write the header, with one function per input that preprocesses a sample and quantizes it.

    Results equal those of :func:`edgepack.calibration.datasets.preprocess.preprocess` bit for bit,
    except for spectra, which are computed in float32 on the device. Raises
    :class:`~edgepack.core.errors.ConfigError` if the preprocessing does not output what the model
    expects, and :class:`~edgepack.core.errors.ModelError` for a quantization that ``quantize.h``
    has no functions for.
    """
    entries = [
        PreprocessedInput(model.name, io, model.preprocessing.get(io.title, Preprocessing()))
        for io in model.inputs
    ]
    functions = "\n".join(_function(entry) for entry in entries)
    name = f"{model.name}_round_product"
    helper = _ROUND_PRODUCT.replace("$round_product", name) if f"{name}(" in functions else ""
    includes = ["<math.h>"] if any(entry.needs_math for entry in entries) else []
    includes += ["<stddef.h>", "<stdint.h>"]
    includes += ['"model_settings.h"'] + ['"quantize.h"'] * ("_quantize_" in functions)
    return c_header(
        f"{model.macro}_PREPROCESS_H", f"{_INTRODUCTION}\n{helper}{functions}", includes
    )


def _function(entry: PreprocessedInput) -> str:
    if entry.tensor.quant is not None and not is_quantized_per_tensor(entry.io):
        raise ModelError(
            f"input {entry.io.title!r}: unsupported quantization of {entry.tensor.dtype};"
            " convert the model to int8, int16 or uint8 inputs with a single scale"
        )
    require_matching_shape(entry.io, entry.preprocessing)
    if entry.preprocessing.image:
        return image_text(entry, entry.preprocessing.image)
    if entry.preprocessing.audio:
        return audio_text(entry, entry.preprocessing.audio)
    return values_text(entry)
