"""What the comparison of models on labelled samples finds: data, from metrics to confusion."""

from __future__ import annotations

from dataclasses import dataclass

CONFIDENCE = 0.95
"""Of every interval."""

SIGNIFICANCE = 1 - CONFIDENCE
"""A smaller p speaks for a change that is real."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where the true value lies, by :data:`CONFIDENCE`."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a metric loses from the float model to another, both on the same samples.

    ``loss`` is in points of a fraction, percent of an error, decibels, or as the metric is; a gain
    is negative; None where the error was 0 in float and is not any more, or a value is no number.
    ``detectable`` is the least loss that so many samples would show with a power of 80 %, in the
    same unit; None where that cannot be told. ``interval`` is None where all resamples lose the
    same, which is no certainty. ``only_float`` and ``only_other`` count the samples
    that only one of the two got right, and ``p_value`` is McNemar's exact one; None but for
    accuracies.
    """

    loss: float | None
    interval: Interval | None
    detectable: float | None
    only_float: int | None = None
    only_other: int | None = None
    p_value: float | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the samples show that there is a change at all: the interval leaves out 0."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high

    @property
    def is_real(self) -> bool:
        """Whether the interval leaves out 0 and McNemar's test, where it applies, agrees."""
        return self.is_shown and (self.p_value is None or self.p_value < SIGNIFICANCE)


@dataclass(frozen=True, kw_only=True)
class MetricResult:
    """A metric of one output; ``value`` is None where it is no number, such as an AUC of one class.

    ``unit`` is one of :class:`~edgepack.metrics.Unit`. ``change`` is None for the float model
    itself, and ``interval`` and ``change`` are None where the value is. ``interval`` is of the
    value, in its unit, and also None where all resamples have the same.
    """

    name: str
    title: str
    unit: str
    is_more_better: bool
    value: float | None
    interval: Interval | None
    change: Change | None


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """How well one class is told, all others against it; None where no sample can show it.

    ``samples`` counts those of the class.
    """

    name: str
    samples: int
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far outputs are from the float model's, over all samples, labels or not.

    ``agreement`` is the fraction of samples that get the same class; of pixels, where each has a
    class; None where outputs are no class scores. ``kl_divergence`` of float's outputs from the
    others', in nats: of the class probabilities, mean over samples, or else of the values'
    histograms. ``sqnr_db`` is the power of the float outputs over that of the difference; None if
    either is zero. Errors are absolute, in the unit of the outputs.
    """

    agreement: float | None
    kl_divergence: float | None
    sqnr_db: float | None
    max_abs_error: float
    mean_abs_error: float


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a model says of a sample: its class and that one's score, or None without classes."""

    label: str | None
    score: float | None


@dataclass(frozen=True, kw_only=True)
class WorstSample:
    """A sample that float and the other tell apart, or on which they are farthest from each other.

    ``index`` counts samples of the test data from 0. ``wanted`` is its label, None without.
    ``distance`` is what samples are ranked by: the KL divergence in nats for class scores, else
    the mean squared error.
    """

    index: int
    wanted: str | None
    of_float: Shown
    of_other: Shown
    distance: float


@dataclass(frozen=True, kw_only=True)
class OutputResult:
    """One output of a model on one interpreter.

    ``metrics`` is by name, the one that was asked for first; empty without labels. ``classes`` and
    ``confusion`` are empty where outputs are no class scores; the latter counts the samples of a
    label that got a class, where there are any: (label, class, count), both by number, in order.
    ``distance`` is None, and ``worst`` empty, for the float model itself; ``worst`` has the samples
    of another class first, then the farthest.
    """

    metrics: dict[str, MetricResult]
    classes: tuple[ClassResult, ...] = ()
    confusion: tuple[tuple[int, int, int], ...] = ()
    distance: Distance | None = None
    worst: tuple[WorstSample, ...] = ()
