"""The samples that a page shows: inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgepack.report.data.compare import CompareReport
from edgepack.report.data.stage_runs import output_names, worst_runs
from edgepack.storage.arrays import Arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownSample:
    """One sample, as arrays without the batch axis.

    ``inputs`` are the real values of the test data, by input name. ``of_float`` and ``of_other``
    are one output of the two models, real values of the same shape.
    """

    inputs: Arrays
    of_float: NDArray[Any]
    of_other: NDArray[Any]


ShownSamples = Mapping[tuple[str, str, int], ShownSample]
"""Samples by stage name, output name, and index in the test data."""


def samples_to_show(report: CompareReport) -> Iterator[tuple[str, str, str, int]]:
    """Return stage, interpreter, output and index of each sample that the page shows."""
    for output in output_names(report):
        for each in worst_runs(report, output):
            for sample in each.differing:
                yield each.stage.name, each.runtime, output, sample.index
