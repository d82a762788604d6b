"""Inputs as a quantized model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgepack.quantization.affine import quantize
from edgepack.storage.array_writer import NpyWriter
from edgepack.storage.arrays import Arrays, blocks, load_array
from edgepack.tflite.graph import Tensor


def quantize_inputs(inputs: Arrays, tensors: Sequence[Tensor], folder: Path) -> Arrays:
    """Quantize real-valued inputs (samples, ...), a block at a time, to files in a folder.

    ``tensors`` are those of the model's inputs, in the same order.
    """
    made: Arrays = {}
    for number, ((name, array), tensor) in enumerate(zip(inputs.items(), tensors, strict=True)):
        with NpyWriter(folder / f"quantized-{number}.npy") as spool:
            for _, (block,) in blocks(array):
                spool.add(quantize(block, tensor))
        made[name] = load_array(spool.path)
    return made
