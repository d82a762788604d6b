"""The results of evaluating a model output: metrics, classes, distances and worst samples."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edgepack.evaluation.channels import ChannelGroup

CONFIDENCE = 0.95
"""Confidence level of every interval."""

SIGNIFICANCE = 1 - CONFIDENCE
"""Significance level: a change with a smaller p-value is significant."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval at the level :data:`CONFIDENCE`."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Change:
    """The change of a metric from the float model to another model on the same samples.

    ``loss`` is in percentage points for a fraction, in percent of the float model's error for an
    error, in decibels, or in the unit of the metric; it is negative for a gain. None if the error
    is 0 for the float model only, or if a value is undefined.
    ``detectable`` is the smallest loss that this number of samples would show with a power of 80%,
    in the same unit; None if it cannot be computed. ``interval`` is that of the loss; None if all
    resamples lose the same, which is not evidence of certainty.
    ``only_float`` and ``only_other`` are the numbers of samples that only one of the models got
    right, and ``p_value`` is that of McNemar's exact test; None for metrics other than accuracies.
    """

    loss: float | None
    interval: Interval | None
    detectable: float | None
    only_float: int | None = None
    only_other: int | None = None
    p_value: float | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high

    @property
    def is_real(self) -> bool:
        """Whether the interval excludes 0 and McNemar's test, if applicable, is significant."""
        return self.is_shown and (self.p_value is None or self.p_value < SIGNIFICANCE)


@dataclass(frozen=True, kw_only=True)
class MetricResult:
    """A metric of one output.

    ``value`` is None if it is undefined, such as the ROC AUC of a single class. ``unit`` is a value
    of :class:`~edgepack.metrics.Unit`. ``interval`` is that of the value, in its unit; None if all
    resamples have the same value. ``change`` is None for the float model itself. Both are None if
    the value is.
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
    """The metrics of one class against all others; None where undefined on these samples.

    ``samples`` is the number of samples of the class.
    """

    name: str
    samples: int
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None


@dataclass(frozen=True, kw_only=True)
class ClassLoss:
    """The recall that a class loses on its ``samples``, in percentage points; negative for a gain.

    ``name`` is that of the class.
    """

    name: str
    samples: int
    loss: float
    interval: Interval


class Collapse(str, Enum):
    """How a model's outputs lost what the float model's tell, whatever loss is accepted."""

    NOT_FINITE = "not finite"
    CONSTANT = "constant"
    MOSTLY_CONSTANT = "mostly constant"
    NOISE = "noise"
    CHANCE = "chance"


@dataclass(frozen=True, kw_only=True)
class Distance:
    """The distance of outputs from the float model's, over all samples, labelled or not.

    ``agreement`` is the fraction of samples, or of pixels for class maps, with the same predicted
    class; None if outputs are not class scores. ``kl_divergence``, in nats, is that of the float
    class probabilities from the others, averaged over samples or pixels; for real values, that of
    the histograms. ``sqnr_db`` is the power of the float outputs over that of the difference, in
    dB; None if either is zero. The errors are absolute, in the unit of the outputs. ``collapse`` is
    None unless the outputs are of no use.
    """

    agreement: float | None
    kl_divergence: float | None
    sqnr_db: float | None
    max_abs_error: float
    mean_abs_error: float
    collapse: Collapse | None = None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The class that a model predicts for a sample, and its score; None if there are no classes."""

    label: str | None
    score: float | None


@dataclass(frozen=True, kw_only=True)
class WorstSample:
    """A sample on which the classes of the float and the other model differ, or the outputs most.

    ``index`` is that of the sample in the test data, counted from 0. ``wanted`` is the name of its
    label; None if it has none. ``distance`` is the KL divergence in nats for class scores, else
    the mean squared error.
    """

    index: int
    wanted: str | None
    of_float: Shown
    of_other: Shown
    distance: float


@dataclass(frozen=True, kw_only=True)
class OutputResult:
    """The results of one output of a model on one interpreter.

    ``metrics`` is by name, the requested metric first; empty without labels. ``classes`` and
    ``confusion`` are empty if outputs are not class scores. ``confusion`` holds the nonzero entries
    of the confusion matrix, (label, predicted class, count), ordered by class number. ``distance``
    is None, and ``worst`` empty, for the float model itself. ``worst`` lists the samples whose
    class differs first, then the others by descending distance. ``class_losses`` are those of the
    classes that have samples; empty for the float model, and without class labels. ``channels`` are
    what the scale of the output under-resolves.
    """

    metrics: dict[str, MetricResult]
    classes: tuple[ClassResult, ...] = ()
    class_losses: tuple[ClassLoss, ...] = ()
    confusion: tuple[tuple[int, int, int], ...] = ()
    distance: Distance | None = None
    worst: tuple[WorstSample, ...] = ()
    channels: tuple[ChannelGroup, ...] = ()
