"""What the samples look like on which models differ most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgepack.pipeline.comparison.cached_runs import Answer
from edgepack.pipeline.comparison.candidates import Contestant
from edgepack.quantization.affine import dequantize
from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.data.shown_samples import Exhibit, Exhibits, wanted_exhibits
from edgepack.report.data.stage_runs import output_names
from edgepack.storage.arrays import Arrays


def exhibits(
    report: ComparisonReport,
    contestants: Sequence[Contestant],
    inputs: Arrays,
    of_float: Answer,
    answers: Mapping[str, Mapping[str, Answer]],
) -> Exhibits:
    """Take the samples that the page shows, as the interpreters gave them that it shows."""
    tensors = {each.name: each.file.model.main.output_tensors for each in contestants}
    places = {name: place for place, name in enumerate(output_names(report))}
    found: dict[tuple[str, str, int], Exhibit] = {}
    for stage, runtime, output, index in wanted_exhibits(report):
        place, row = places[output], slice(index, index + 1)
        given = answers[stage][runtime].outputs[place][row]
        found[stage, output, index] = Exhibit(
            inputs={name: np.array(each[row][0]) for name, each in inputs.items()},
            of_float=np.array(of_float.outputs[place][row][0]),
            of_other=dequantize(given, tensors[stage][place])[0],
        )
    return found
