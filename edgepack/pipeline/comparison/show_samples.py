"""What the samples look like on which models differ most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs
from edgepack.pipeline.comparison.candidates import Candidate
from edgepack.quantization.affine import dequantize
from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.data.shown_samples import Exhibits, ShownSample, samples_to_show
from edgepack.report.data.stage_runs import output_names
from edgepack.storage.arrays import Arrays


def show_samples(
    report: ComparisonReport,
    contestants: Sequence[Candidate],
    inputs: Arrays,
    of_float: RuntimeOutputs,
    answers: Mapping[str, Mapping[str, RuntimeOutputs]],
) -> Exhibits:
    """Take the samples that the page shows, as the interpreters gave them that it shows."""
    tensors = {each.name: each.file.model.main.output_tensors for each in contestants}
    places = {name: place for place, name in enumerate(output_names(report))}
    found: dict[tuple[str, str, int], ShownSample] = {}
    for stage, runtime, output, index in samples_to_show(report):
        place, row = places[output], slice(index, index + 1)
        given = answers[stage][runtime].outputs[place][row]
        found[stage, output, index] = ShownSample(
            inputs={name: np.array(each[row][0]) for name, each in inputs.items()},
            of_float=np.array(of_float.outputs[place][row][0]),
            of_other=dequantize(given, tensors[stage][place])[0],
        )
    return found
