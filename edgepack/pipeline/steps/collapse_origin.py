"""The search for where the outputs of a quantized model collapse."""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from edgepack.core.errors import EdgepackError
from edgepack.core.progress import Progress
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.evaluation.collapse import CollapseOrigin
from edgepack.evaluation.scores import Comparison
from edgepack.layer_errors.lost_layer import find_lost_layer
from edgepack.pipeline.steps.layer_comparer import (
    measure_layers,
    spread_samples,
    start_layer_comparer,
)
from edgepack.report.data.compression import StepReport
from edgepack.storage.arrays import Arrays


def collapsed_outputs(comparison: Comparison | None) -> set[str]:
    """Return the outputs of a model that collapsed on an interpreter."""
    outputs = comparison.outputs.items() if comparison else ()
    return {
        name
        for name, output in outputs
        if any(score.collapse for score in output.quantized.values())
    }


def collapsed_stage(steps: Iterable[StepReport], outputs: Set[str]) -> CollapseOrigin | None:
    """Return the first compression step after which all these outputs had collapsed, and any had.

    None if there is none.
    """
    for step in steps:
        collapsed = {name for name, score in step.outputs.items() if score.collapse}
        if collapsed and outputs <= collapsed:
            return CollapseOrigin(stage=step.stage)
    return None


def find_collapsed_layer(
    float_tflite: Path,
    quantized_tflite: Path,
    inputs: Arrays,
    work: Path,
    progress: Progress,
    *,
    verbose: bool,
) -> CollapseOrigin | None:
    """Compare two .tflite files layer by layer; returns the layer in which the outputs collapse.

    ``inputs`` are real values (samples, ...), some of which are used. None if no layer stands out,
    or if the layers of the two files cannot be compared.
    """
    with (
        TemporaryFolder(work) as folder,
        start_layer_comparer(verbose=verbose) as service,
        progress.step("find layer") as update,
    ):
        try:
            samples = spread_samples(inputs)
            compared = measure_layers(
                service, float_tflite, quantized_tflite, samples, folder, update
            )
        except EdgepackError:
            return None  # the collapse is told without its layer
    return find_lost_layer(compared.layers)
