"""Quantization of a model's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgepack.quantization.affine import quantize
from edgepack.storage.array_writer import NpyWriter
from edgepack.storage.arrays import Arrays, blocks, load_array
from edgepack.tflite.graph import Tensor


def quantize_inputs(inputs: Arrays, tensors: Sequence[Tensor], folder: Path) -> Arrays:
    """Quantize real-valued inputs, arrays of (samples, ...), in blocks to files in a folder.

    ``tensors`` are those of the model's inputs, in the same order. Returns the arrays in the files,
    by the names of the inputs.
    """
    quantized: Arrays = {}
    for number, ((name, array), tensor) in enumerate(zip(inputs.items(), tensors, strict=True)):
        with NpyWriter(folder / f"quantized-{number}.npy") as writer:
            for _, (block,) in blocks(array):
                writer.add(quantize(block, tensor))
        quantized[name] = load_array(writer.path)
    return quantized
