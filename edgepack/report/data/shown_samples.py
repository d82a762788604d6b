"""The samples that a page shows: what went in, and what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgepack.report.data.comparison import ComparisonReport
from edgepack.report.data.stage_runs import output_names, worst_runs
from edgepack.storage.arrays import Arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownSample:
    """One sample, without the axis of samples.

    ``inputs`` are real values as they are in the test data, by the name of the input; ``of_float``
    and ``of_other`` what the two models give for one output, real values of the same shape.
    """

    inputs: Arrays
    of_float: NDArray[Any]
    of_other: NDArray[Any]


Exhibits = Mapping[tuple[str, str, int], ShownSample]
"""By the name of the stage, that of the output, and the index of the sample in the test data."""


def samples_to_show(report: ComparisonReport) -> Iterator[tuple[str, str, str, int]]:
    """Tell which samples the page shows: stage, interpreter, output, index."""
    for output in output_names(report):
        for each in worst_runs(report, output):
            for sample in each.output.worst:
                yield each.stage.name, each.runtime, output, sample.index
