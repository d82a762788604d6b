"""What a metric is, and what it holds a model's outputs against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgepack.core.signature import TensorSpec
from edgepack.storage.arrays import take
from edgepack.storage.dataset import Dataset

Array = NDArray[Any]


class Rows(Protocol):
    """What is wanted of each sample: an array (samples, ...), or what gives one when it is sliced.

    ``rows[start:stop]`` reads those samples and no others, ``rows[:]`` all of them.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Array:
        """Read some samples."""


class Loss(str, Enum):
    """What fine-tuning minimizes, by the metric it serves."""

    CROSS_ENTROPY = "cross-entropy"
    MEAN_SQUARED_ERROR = "mean-squared-error"


class Unit(str, Enum):
    """What the values of a metric are, which decides how a change of them is told.

    Fractions are told in points, errors in percent of the float model's error, decibels and plain
    numbers as they are.
    """

    FRACTION = "fraction"
    ERROR = "error"
    DECIBELS = "decibels"
    PLAIN = "plain"


class Family(str, Enum):
    """What a model does: metrics of a family are told together."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    ANOMALY = "anomaly detection"
    SEGMENTATION = "segmentation"
    GENERATION = "generation"
    OWN = "own"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric by its name in recipes and reports; ``title`` is what a person reads.

    ``wanted`` picks from a dataset what an output is measured against, and raises
    :class:`~edgepack.core.errors.DatasetError` or :class:`~edgepack.core.errors.ConfigError` where
    it is missing or unfit.

    ``condense`` makes of a block of samples what the metric needs of each: it takes real-valued
    outputs (samples, ...), what was wanted (samples, ...) and the decision boundary, and gives
    rows (samples, ...), which are small, so that large test sets are read block by block.
    ``value`` computes the metric of those rows once for each line of weights, whole numbers
    (resamples, samples) that say how often each sample counts: values (resamples,) in float64.
    NaN stands for what a resample cannot tell.

    ``is_more_better`` tells gains from losses. ``loss`` is None where no fine-tuning serves it.
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

    def score(self, outputs: Array, wanted: Array, boundary: float) -> float:
        """Compute the metric over all samples at once, each counted once."""
        return self.of(self.condense(outputs, wanted, boundary))

    def of(self, rows: Array) -> float:
        """Compute the metric of condensed samples, each counted once."""
        return float(self.value(rows, np.ones((1, len(rows)), np.int64))[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Measure:
    """A metric and what it holds one output of a model against, read by blocks of samples."""

    metric: Metric
    wanted: Rows

    def read(self, rows: slice) -> Array:
        """Read what was wanted of some samples, of a map past the map."""
        return take(self.wanted, rows) if isinstance(self.wanted, np.ndarray) else self.wanted[rows]


def weighted_mean(rows: Array, weights: Array) -> Array:
    """Compute the mean of rows (samples,) for each line of weights (resamples, samples).

    >>> weighted_mean(np.array([0.0, 1.0]), np.array([[1, 1], [1, 3]]))
    array([0.5 , 0.75])
    """
    means: Array = weighted_sums(rows, weights) / weights.sum(axis=1)
    return means


def weighted_sums(rows: Array, weights: Array) -> Array:
    """Sum rows (samples, ...) for each line of weights (resamples, samples), in float64.

    Not by ``@``: BLAS adds in another order on another number of processors.

    >>> weighted_sums(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 1], [0, 2]]))
    array([[4., 6.],
           [6., 8.]])
    """
    sums: Array = np.einsum(
        "ls,s...->l...", weights.astype(np.float64), rows.astype(np.float64, copy=False)
    )
    return sums
