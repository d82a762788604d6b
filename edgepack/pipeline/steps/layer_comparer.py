"""The process that compares a quantized model with its float model layer by layer."""

from __future__ import annotations

from functools import partial

from edgepack.storage.arrays import Arrays, spread
from edgepack.workers.client import Worker
from edgepack.workers.restarting_worker import RestartingWorker

MAX_SAMPLES = 64
"""Every value of every layer is compared, so few samples are sufficient."""


def start_layer_comparer(*, verbose: bool) -> RestartingWorker:
    """Start the process that compares layers; it serves ``DebugService``."""
    label = "LiteRT"
    start = partial(
        Worker, "edgepack.layer_errors.debug_service:DebugService", label=label, verbose=verbose
    )
    return RestartingWorker(start, label)


def spread_samples(inputs: Arrays) -> Arrays:
    """Choose up to :data:`MAX_SAMPLES` samples, evenly spaced: they may be sorted by class."""
    return dict(zip(inputs, spread(list(inputs.values()), MAX_SAMPLES), strict=True))
