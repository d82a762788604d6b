"""A note on a quantized file that is larger than its float file, with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.core.wording import counted
from edgepack.pipeline.steps.job import Job
from edgepack.tflite.graph import Model
from edgepack.tflite.parser import read_tflite


def size_notes(job: Job, model: Model, *, is_unrolled: bool) -> Iterator[str]:
    """Yield a note if the quantized file is larger: where its bytes are, other than in weights.

    ``model`` is the quantized one; ``is_unrolled`` says whether layers were unrolled for it.
    """
    data, float_data = job.quantized_tflite.read_bytes(), job.float_tflite.read_bytes()
    if len(data) <= len(float_data):
        return
    values, float_values = _constant_bytes(model), _constant_bytes(read_tflite(float_data))
    operators = counted(sum(len(graph.operators) for graph in model.subgraphs), "operator")
    tensors = counted(sum(len(graph.tensors) for graph in model.subgraphs), "tensor")
    yield (
        f"{job.quantized_tflite.name} is larger than {job.float_tflite.name}: its constants take"
        f" {values:,} B instead of {float_values:,} B, but all else takes {len(data) - values:,} B"
        f" instead of {len(float_data) - float_values:,} B, the description of {operators} and"
        f" {tensors}, with names and scales"
        + ("; an unrolled layer repeats its operators at every step" if is_unrolled else "")
    )


def _constant_bytes(model: Model) -> int:
    """Return the bytes of all constants; those with one buffer count once."""
    stored = {
        tensor.buffer: len(tensor.data) for graph in model.subgraphs for tensor in graph.tensors
    }
    return sum(stored.values())
