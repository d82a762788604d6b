"""The comparison of a quantized model with its float model, layer by layer, in a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from edgepack.core.codec import restore
from edgepack.core.progress import Progress, Update
from edgepack.layer_errors.output_causes import diagnose_output
from edgepack.layer_errors.range_origins import RangeOrigin
from edgepack.layer_errors.ranking import rank_layers
from edgepack.layer_errors.result import DebugReport, IsolatedLayers, LayerComparison, WorstScore
from edgepack.storage.arrays import Arrays, save_arrays, spread
from edgepack.tflite.output_parts import output_layouts
from edgepack.tflite.parser import read_tflite
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


def measure_layers(
    service: RestartingWorker,
    float_tflite: Path,
    quantized_tflite: Path,
    samples: Arrays,
    work: Path,
    update: Update,
) -> LayerComparison:
    """Return the statistics of the layers that two .tflite files have in common.

    ``samples`` are real values (samples, ...). Raises what :func:`compare_layers` raises.
    """
    service.call(
        "open",
        float_tflite=str(float_tflite),
        quantized_tflite=str(quantized_tflite),
        inputs=save_arrays(work / "compared", samples),
    )
    return restore(LayerComparison, service.call("compare", update=update))


def compare_layers(
    service: RestartingWorker,
    float_tflite: Path,
    quantized_tflite: Path,
    inputs: Arrays,
    outputs: Sequence[str],
    work: Path,
    progress: Progress,
    origins: Mapping[str, RangeOrigin],
) -> DebugReport:
    """Compare two .tflite files layer by layer, and quantize each layer alone.

    ``service`` comes from :func:`start_layer_comparer`. ``inputs`` are real values (samples, ...),
    of which samples that are spread evenly are run; ``outputs`` are the output names; ``origins``
    are those of ranges, by layer, where known. Arrays go to the folder ``work``. Raises
    :class:`~edgepack.core.errors.ConversionError` for files without a layer in common.
    """
    samples = spread_samples(inputs)
    with progress.step("compare") as update:
        compared = measure_layers(service, float_tflite, quantized_tflite, samples, work, update)
    with progress.step("isolate") as update:
        isolated = restore(IsolatedLayers, service.call("isolate", update=update))
    scores = isolated.whole
    return DebugReport(
        model=quantized_tflite.name,
        data="test",
        samples=len(next(iter(samples.values()))),
        kernels=compared.kernels,
        outputs=dict(zip(outputs, scores, strict=True)),
        layers=rank_layers(
            compared.layers,
            isolated.alone,
            WorstScore.of(scores).sqnr_db,
            origins,
        ),
        unmatched=compared.unmatched,
        channels=dict(zip(outputs, isolated.channels, strict=True)),
        lost_channels={
            name: finding
            for name, groups, layout in zip(
                outputs,
                isolated.channels,
                output_layouts(read_tflite(quantized_tflite.read_bytes()).main),
                strict=True,
            )
            if (finding := diagnose_output(name, groups, layout))
        },
    )
