"""Runs a float model to find how far its fills can be clipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgepack.calibration.activations.instrument import instrument
from edgepack.calibration.activations.ranges import Ranges
from edgepack.calibration.activations.saturating_constants import (
    FillLimits,
    choose_limits,
    find_candidates,
    limit_constants,
    smallest_fill,
)
from edgepack.calibration.activations.saturation import Facts
from edgepack.core.codec import restore
from edgepack.core.progress import Update
from edgepack.storage.arrays import save_array
from edgepack.tflite.parser import read_tflite
from edgepack.workers.client import Worker


def find_limits(
    float_tflite: bytes,
    inputs: Sequence[str],
    *,
    samples: int,
    work: Path,
    update: Update,
    verbose: bool,
) -> FillLimits:
    """Find how far the constants of a float .tflite can be clipped.

    ``inputs`` are .npy files of shape (samples, ...) in the order of the model's inputs, with their
    dtypes: the representative dataset. The model is run, in a worker process, only if it has
    constants that may be fills. Files go to the folder ``work``.

    Raises :class:`~edgepack.core.errors.ConversionError` if LiteRT cannot run the model.
    """
    graph = read_tflite(float_tflite).main
    candidates = find_candidates(graph)
    if not candidates:
        return FillLimits()
    rows = work / "rows.npy"
    save_array(rows, np.arange(samples))
    given = _write(work / "given.tflite", float_tflite)
    with Worker(
        "edgepack.calibration.activations.saturation_service:SaturationService",
        label="the calibration",
        verbose=verbose,
    ) as worker:

        def difference(constants: Ranges) -> float:
            clipped = _write(work / "clipped.tflite", limit_constants(float_tflite, constants))
            return restore(float, worker.call("difference", update=update, models=[given, clipped]))

        instrumented = instrument(float_tflite)
        worker.call(
            "open",
            model=_write(work / "instrumented.tflite", instrumented.tflite),
            activations=instrumented.activations,
            inputs=list(inputs),
            order=str(rows),
            histograms=False,
        )
        fill = smallest_fill(candidates)
        answer = worker.call("facts", update=update, fill=fill)
        return choose_limits(graph, candidates, restore(dict[str, Facts], answer), difference)


def _write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)
