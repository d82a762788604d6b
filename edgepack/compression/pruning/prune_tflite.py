"""One-shot pruning of a float .tflite file, for models without Keras layers."""

from __future__ import annotations

import numpy as np

from edgepack.compression.pruning.masks import one_shot_mask
from edgepack.compression.pruning.prune import UNSUPPORTED_LAYER, nothing_to_prune_error
from edgepack.compression.pruning.schedule import PruningPlan
from edgepack.compression.pruning.settings import Prune, Pruning
from edgepack.compression.technique import Compressed
from edgepack.core.errors import ModelError
from edgepack.load.tflite_file import TfliteFile
from edgepack.tflite.parser import buffer, read_tflite
from edgepack.tflite.sparsity import weight_tensors

_AXES_IN_KERAS = {
    "CONV_2D": (1, 2, 3, 0),  # in the file: (outputs, height, width, inputs)
    "TRANSPOSE_CONV": (1, 2, 0, 3),
    "FULLY_CONNECTED": (1, 0),
    "BATCH_MATMUL": (0, 1),
    "GATHER": (0, 1),
}
"""The operators whose weights TFMOT prunes in Keras, and the permutation to Keras's axis order."""


def prune_tflite(file: TfliteFile, settings: Prune) -> Compressed:
    """Set the smallest weights of a float .tflite file to zero, by TFMOT's masks.

    Raises :class:`ModelError` if nothing can be pruned, or ``settings`` require fine-tuning.
    """
    if settings.fine_tune is not None:
        raise ModelError(
            f"{file.path}: has no Keras layers, so it cannot be trained: leave out the training"
            " data to prune it in one shot, or provide the Keras model"
        )
    plan = PruningPlan(settings, None)
    weights = weight_tensors(read_tflite(file.data))
    plan.check_patterns(weights)
    data = bytearray(file.data)
    pruned = set()
    for name, weight in weights.items():
        if not plan.sparsity(name):
            continue
        values = buffer(data, weight.tensor.buffer).view(np.float32)
        values = values.reshape(weight.tensor.shape)
        if settings.threshold is not None:
            values[np.abs(values) < settings.threshold] = 0
            pruned.add(name)
            continue
        axes = _AXES_IN_KERAS.get(weight.operator)
        if axes is None or len(axes) != values.ndim:
            continue
        transposed = values.transpose(axes)
        if (tfmot_settings := plan.settings(name, [transposed.shape])) is not None:
            transposed *= one_shot_mask(transposed, tfmot_settings)
            pruned.add(name)
    left_out = {
        name: plan.left_out.get(name, UNSUPPORTED_LAYER)
        for name in weights
        if name not in pruned and plan.sparsity(name)
    }
    if not pruned:
        raise nothing_to_prune_error(file.path, plan)
    way = "file" if settings.threshold is None else "threshold"
    pruned_file = TfliteFile(file.path, bytes(data), file.signature)
    record = Pruning(way=way, runtime=TfliteFile.runtime, trained=None, left_out=left_out)
    return Compressed(model=pruned_file, copy=lambda: pruned_file, record=record)
