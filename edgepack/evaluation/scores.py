"""Scores of a model's outputs on interpreters against the float model's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgepack.evaluation.channels import ChannelGroup
from edgepack.evaluation.closeness import Closeness
from edgepack.evaluation.results import Change, ClassLoss, Collapse, MetricResult
from edgepack.metrics import find_metric


@dataclass(frozen=True, kw_only=True)
class Score:
    """A compressed model, or a quantized one on an interpreter, compared with the float model.

    ``value`` is that of the metric; None if there is no metric, or if it is undefined, such as the
    ROC AUC of a single class. ``agreement`` is the fraction of samples, or of pixels for class
    maps, with the same predicted class; None if outputs are not class scores. ``sqnr_db`` is the
    power of the float outputs over that of the difference, in dB; None if either is zero.
    ``max_abs_error`` and ``mean_abs_error`` are in the unit of the outputs. ``change`` is that of
    the metric; None without one. ``class_losses`` are those of the classes that have samples; empty
    without class labels. ``collapse`` is None unless the outputs are of no use.
    """

    value: float | None
    agreement: float | None
    sqnr_db: float | None
    max_abs_error: float
    mean_abs_error: float
    change: Change | None = None
    class_losses: tuple[ClassLoss, ...] = ()
    collapse: Collapse | None = None

    @property
    def worst_class(self) -> ClassLoss | None:
        """The class that loses most; None if none loses anything, or without class labels."""
        worst = max(self.class_losses, key=lambda each: each.loss, default=None)
        return worst if worst is not None and worst.loss > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as report.json names them: of the classes, only the worst."""
        fields = asdict(self) | {"worst_class": self.worst_class and asdict(self.worst_class)}
        del fields["class_losses"]
        return fields


NOT_SCHEMES = ("metric", "float", "pruned", "sampled", "channels")
"""The keys of an output in report.json that are not the name of a quantization scheme."""


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The float model's metric on the ``samples`` that a slow interpreter ran."""

    samples: int
    float_value: float | None


@dataclass(frozen=True, kw_only=True)
class OutputComparison:
    """The scores of one output: float, pruned (if any), and quantized by interpreter.

    If other compression steps follow, ``pruned`` is the model after the last pruning. ``metric``
    and ``float_value`` are None if there is no ground truth for the output. ``sampled`` lists the
    interpreters that ran only some of the samples, with the float model's metric on these.
    ``channels`` lists, by interpreter, what the scale of the output under-resolves.
    """

    metric: str | None
    float_value: float | None
    pruned: Score | None
    quantized: dict[str, Score]
    sampled: Mapping[str, Sampled] = field(default_factory=dict)
    channels: Mapping[str, tuple[ChannelGroup, ...]] = field(default_factory=dict)

    def float_value_on(self, runtime: str) -> float | None:
        """Return the float model's metric on the samples that an interpreter ran."""
        sampled = self.sampled.get(runtime)
        return sampled.float_value if sampled else self.float_value

    def closeness(self, runtime: str, samples: int) -> Closeness:
        """Return how close the output is to float's on an interpreter that ran the model.

        ``samples`` is their number, unless the interpreter ran only some.
        """
        score, sampled = self.quantized[runtime], self.sampled.get(runtime)
        return Closeness(
            samples=sampled.samples if sampled else samples,
            metric=self.metric_result(runtime),
            class_losses=score.class_losses,
            agreement=score.agreement,
            sqnr_db=score.sqnr_db,
            max_abs_error=score.max_abs_error,
            collapse=score.collapse,
        )

    def metric_result(self, runtime: str) -> MetricResult | None:
        """Return the metric on an interpreter and its change; None without labels."""
        score = self.quantized.get(runtime)
        if self.metric is None or score is None:
            return None
        metric = find_metric(self.metric)
        return MetricResult(
            name=metric.name,
            title=metric.title,
            unit=metric.unit.value,
            is_more_better=metric.is_more_better,
            value=score.value,
            interval=None,
            change=score.change,
        )

    def to_dict(self, scheme: str) -> dict[str, Any]:
        """Return the fields as report.json names them."""
        fields: dict[str, Any] = {
            "metric": self.metric,
            "float": self.float_value,
            "pruned": self.pruned.to_dict() if self.pruned else None,
            scheme: {name: score.to_dict() for name, score in self.quantized.items()},
        }
        if self.sampled:
            fields["sampled"] = {name: asdict(each) for name, each in self.sampled.items()}
        if self.channels:
            fields["channels"] = {
                name: [asdict(group) for group in groups] for name, groups in self.channels.items()
            }
        return fields


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The comparison of all outputs, by name.

    ``scheme`` is the name of the quantization scheme; ``data`` is the dataset that was used,
    ``test`` or ``representative``.
    """

    scheme: str
    data: str
    samples: int
    outputs: dict[str, OutputComparison]

    def closeness(self) -> dict[str, dict[str, Closeness]]:
        """Return how close each output is to float's, by interpreter, then by output."""
        runtimes = dict.fromkeys(name for each in self.outputs.values() for name in each.quantized)
        return {
            runtime: {
                name: output.closeness(runtime, self.samples)
                for name, output in self.outputs.items()
                if runtime in output.quantized
            }
            for runtime in runtimes
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as report.json names them."""
        return {
            "data": self.data,
            "samples": self.samples,
            "outputs": {name: output.to_dict(self.scheme) for name, output in self.outputs.items()},
        }
