"""The definition of a metric, and a metric paired with the targets of one model output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgepack.core.signature import TensorSpec
from edgepack.storage.arrays import read_slice
from edgepack.storage.dataset import Dataset

Array = NDArray[Any]


class Rows(Protocol):
    """The targets of all samples: an array (samples, ...), or an object that returns one per slice.

    ``rows[start:stop]`` reads only those samples, ``rows[:]`` all of them.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Array:
        """Read a slice of the samples."""


class Loss(str, Enum):
    """The loss that fine-tuning minimizes for a metric."""

    CROSS_ENTROPY = "cross-entropy"
    MEAN_SQUARED_ERROR = "mean-squared-error"


class Unit(str, Enum):
    """The unit of a metric's values, which decides how a change in them is reported.

    Changes of fractions are reported in percentage points, of errors in percent of the float
    model's error, of decibels and plain numbers in the same unit.
    """

    FRACTION = "fraction"
    ERROR = "error"
    DECIBELS = "decibels"
    PLAIN = "plain"


class Family(str, Enum):
    """The kind of task a model performs; the metrics of a family are reported together."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    ANOMALY = "anomaly detection"
    SEGMENTATION = "segmentation"
    GENERATION = "generation"
    OWN = "own"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric; ``name`` identifies it in settings and reports, ``title`` is its display name.

    ``wanted`` selects an output's targets from a dataset. It raises
    :class:`~edgepack.core.errors.DatasetError` if they are missing or unsuitable, and
    :class:`~edgepack.core.errors.ConfigError` if the metric does not fit the model.

    ``condense`` reduces a block of samples to what the metric needs from each of them: it takes
    real-valued outputs (samples, ...), targets (samples, ...) and the decision boundary, and
    returns rows (samples, ...). Rows are small, so that large test sets can be read block by block.
    ``value`` computes the metric from rows, once per line of weights. Weights are integers
    (resamples, samples), the number of times that each sample counts; the values are float64
    (resamples,), NaN where the metric is undefined for a resample.

    ``is_more_better`` is whether higher values are better. ``loss`` is the one to fine-tune with,
    None if there is none for this metric.
    """

    name: str
    title: str
    family: Family
    unit: Unit
    is_more_better: bool
    wanted: Callable[[Dataset, TensorSpec], Rows]
    condense: Callable[[Array, Array, float], Array]
    value: Callable[[Array, Array], Array]
    loss: Loss | None = None

    def score(self, outputs: Array, targets: Array, boundary: float) -> float:
        """Compute the metric over all samples at once, each counted once."""
        return self.value_of_rows(self.condense(outputs, targets, boundary))

    def value_of_rows(self, rows: Array) -> float:
        """Compute the metric from condensed rows (samples, ...), each counted once."""
        return float(self.value(rows, np.ones((1, len(rows)), np.int64))[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Measure:
    """A metric and the targets of one model output, which are read by blocks of samples."""

    metric: Metric
    wanted: Rows

    def read(self, rows: slice) -> Array:
        """Read the targets of some samples, from the file itself if they are memory-mapped."""
        return (
            read_slice(self.wanted, rows)
            if isinstance(self.wanted, np.ndarray)
            else self.wanted[rows]
        )


def weighted_mean(rows: Array, weights: Array) -> Array:
    """Compute the mean of rows (samples,) for each line of weights (resamples, samples).

    >>> weighted_mean(np.array([0.0, 1.0]), np.array([[1, 1], [1, 3]]))
    array([0.5 , 0.75])
    """
    means: Array = weighted_sums(rows, weights) / weights.sum(axis=1)
    return means


def weighted_sums(rows: Array, weights: Array) -> Array:
    """Sum rows (samples, ...) for each line of weights (resamples, samples), in float64.

    Does not use ``@``: the order in which BLAS adds depends on the number of processors.

    >>> weighted_sums(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 1], [0, 2]]))
    array([[4., 6.],
           [6., 8.]])
    """
    sums: Array = np.einsum(
        "ls,s...->l...", weights.astype(np.float64), rows.astype(np.float64, copy=False)
    )
    return sums
