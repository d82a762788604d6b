"""Inputs as a quantized model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgepack.arrays import Arrays, load_array
from edgepack.quantize.affine import quantize
from edgepack.spool import Spool
from edgepack.types import Tensor

_BLOCK_BYTES = 1 << 22


def quantize_inputs(inputs: Arrays, tensors: Sequence[Tensor], folder: Path) -> Arrays:
    """Quantize real-valued inputs (samples, ...), a block at a time, to files in a folder.

    ``tensors`` are those of the model's inputs, in the same order.
    """
    made: Arrays = {}
    for number, ((name, array), tensor) in enumerate(zip(inputs.items(), tensors, strict=True)):
        with Spool(folder / f"quantized-{number}.npy") as spool:
            rows = max(1, _BLOCK_BYTES // max(array[:1].nbytes, 1))
            for start in range(0, len(array), rows):
                spool.add(quantize(array[start : start + rows], tensor))
        made[name] = load_array(spool.path)
    return made
