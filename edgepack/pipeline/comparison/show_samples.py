"""The samples on which models differ most, for the page of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs
from edgepack.pipeline.comparison.candidates import Candidate
from edgepack.quantization.affine import dequantize
from edgepack.report.data.compare import CompareReport
from edgepack.report.data.shown_samples import ShownSample, ShownSamples, samples_to_show
from edgepack.report.data.stage_runs import output_names
from edgepack.storage.arrays import Arrays


def show_samples(
    report: CompareReport,
    candidates: Sequence[Candidate],
    inputs: Arrays,
    float_run: RuntimeOutputs,
    runs: Mapping[str, Mapping[str, RuntimeOutputs]],
) -> ShownSamples:
    """Collect the samples that the page shows, with the outputs of the runs that it shows.

    ``inputs`` are (samples, ...) by name; ``runs`` are keyed by candidate, then by runtime.
    """
    tensors = {each.name: each.file.model.main.output_tensors for each in candidates}
    places = {name: place for place, name in enumerate(output_names(report))}
    shown: dict[tuple[str, str, int], ShownSample] = {}
    for stage, runtime, output, index in samples_to_show(report):
        place, row = places[output], slice(index, index + 1)
        values = runs[stage][runtime].outputs[place][row]
        shown[stage, output, index] = ShownSample(
            inputs={name: np.array(each[row][0]) for name, each in inputs.items()},
            of_float=np.array(float_run.outputs[place][row][0]),
            of_other=dequantize(values, tensors[stage][place])[0],
        )
    return shown
