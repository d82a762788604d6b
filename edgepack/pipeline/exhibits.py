"""What the samples look like on which models differ most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgepack.arrays import Arrays
from edgepack.pipeline.answers import Answer
from edgepack.pipeline.contestants import Contestant
from edgepack.quantize.affine import dequantize
from edgepack.report.comparison import Stage
from edgepack.report.exhibits import Exhibit, Exhibits


def exhibits(
    stages: Sequence[Stage],
    contestants: Sequence[Contestant],
    inputs: Arrays,
    of_float: Answer,
    answers: Mapping[str, Mapping[str, Answer]],
) -> Exhibits:
    """Take the worst samples of every stage, by stage, output and place among the samples."""
    found: dict[tuple[str, str, int], Exhibit] = {}
    for stage, contestant in zip(stages, contestants, strict=True):
        tensors = contestant.file.model.main.output_tensors
        for runtime, run in stage.runs.items():
            for place, (name, output) in enumerate(run.outputs.items()):
                given = answers[stage.name][runtime].outputs[place]
                for worst in output.worst:
                    row = slice(worst.index, worst.index + 1)
                    found.setdefault(
                        (stage.name, name, worst.index),
                        Exhibit(
                            inputs={key: np.array(each[row][0]) for key, each in inputs.items()},
                            of_float=np.array(of_float.outputs[place][row][0]),
                            of_other=dequantize(given[row], tensors[place])[0],
                        ),
                    )
    return found
