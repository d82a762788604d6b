"""Hold the outputs of models against labels, and against those of the float model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgepack.arrays import blocks, extremes, take
from edgepack.evaluation.bootstrap import resampled
from edgepack.evaluation.change import Scored, is_accuracy, metric_result
from edgepack.evaluation.classes import MOST_CLASSES, class_results
from edgepack.evaluation.distance import Apart, Kind, distance
from edgepack.evaluation.results import ClassResult, OutputResult, Shown, WorstSample
from edgepack.evaluation.score import Array, real, tells_classes
from edgepack.metrics import class_count, classes, decision_boundary
from edgepack.metrics.metric import Family, Measure, Metric
from edgepack.types import Tensor

_SAMPLES_AND_CLASSES = 2


class Evaluator:
    """Evaluates one output of models on the same samples, of the float model first.

    ``float_outputs`` are real values (samples, ...). ``measures`` hold an output against what was
    wanted, the one that was asked for first; none without labels. ``classes`` are the names of
    the classes, if they have any. What is mapped is read by blocks, so that memory stays flat.
    """

    def __init__(
        self, float_outputs: Array, measures: Sequence[Measure], classes: Sequence[str]
    ) -> None:
        ends = extremes(float_outputs)
        self._float_outputs = float_outputs
        self._measures = tuple(measures)
        self._boundary = decision_boundary(ends)
        self._kind = _kind(float_outputs, self._measures, ends)
        self._names = _names(float_outputs, classes)
        self._labels = self._class_labels()
        self._of_float = self._scored(float_outputs, None)

    def float_result(self) -> OutputResult:
        """Tell how good the float model is."""
        classes, confusion = self._by_class(self._float_outputs, None)
        metrics = {each.metric.name: metric_result(each, None) for each in self._of_float}
        return OutputResult(metrics=metrics, classes=classes, confusion=confusion)

    def result(self, outputs: Array, tensor: Tensor | None) -> OutputResult:
        """Tell how good another model is, and how far from the float model.

        ``outputs`` has the float model's shape; ``tensor`` tells what integers stand for, and is
        None for real values.
        """
        classes, confusion = self._by_class(outputs, tensor)
        far, worst = distance(self._float_outputs, outputs, tensor, self._kind, self._boundary)
        return OutputResult(
            metrics={
                each.metric.name: metric_result(each, of_float)
                for each, of_float in zip(
                    self._scored(outputs, tensor), self._of_float, strict=True
                )
            },
            classes=classes,
            confusion=confusion,
            distance=far,
            worst=tuple(self._worst(sample, outputs, tensor) for sample in worst),
        )

    def _scored(self, outputs: Array, tensor: Tensor | None) -> list[Scored]:
        """Measure outputs by each metric, and resample all but accuracies."""
        if not self._measures:
            return []
        metrics = [measure.metric for measure in self._measures]
        rows = self._condensed(outputs, tensor)
        values = _resampled(metrics, rows)
        return [
            Scored(
                metric=metric,
                value=metric.of(its),
                are_right=its if is_accuracy(metric, its) else None,
                resampled=values.get(number),
            )
            for number, (metric, its) in enumerate(zip(metrics, rows, strict=True))
        ]

    def _condensed(self, outputs: Array, tensor: Tensor | None) -> list[Array]:
        """Condense the samples for each metric, by blocks; metrics of the same rows share them."""
        distinct = {_condensing(measure): measure for measure in self._measures}
        parts: dict[tuple[object, int], list[Array]] = {key: [] for key in distinct}
        for rows, (block,) in blocks(outputs):
            values = real(block, tensor)
            for key, measure in distinct.items():
                wanted = measure.read(rows)
                parts[key].append(measure.metric.condense(values, wanted, self._boundary))
        condensed = {key: np.concatenate(each) for key, each in parts.items()}
        return [condensed[_condensing(measure)] for measure in self._measures]

    def _class_labels(self) -> Array | None:
        """Read the label of each sample, None where outputs are not held against classes."""
        first = next(iter(self._measures), None)
        if first is None or first.metric.family is not Family.CLASSIFICATION:
            return None
        return np.asarray(first.wanted[:]).astype(np.int64) if self._names else None

    def _by_class(
        self, outputs: Array, tensor: Tensor | None
    ) -> tuple[tuple[ClassResult, ...], tuple[tuple[int, int, int], ...]]:
        if self._labels is None or len(self._names) > MOST_CLASSES:
            return (), ()
        return class_results(outputs, tensor, self._boundary, self._labels, self._names)

    def _worst(self, sample: Apart, outputs: Array, tensor: Tensor | None) -> WorstSample:
        rows = slice(sample.index, sample.index + 1)
        return WorstSample(
            index=sample.index,
            wanted=None if self._labels is None else self._names[self._labels[sample.index]],
            of_float=self._shown(take(self._float_outputs, rows)),
            of_other=self._shown(real(take(outputs, rows), tensor)),
            distance=sample.distance,
        )

    def _shown(self, outputs: Array) -> Shown:
        """Tell what a model says of one sample, with a batch of 1."""
        if self._kind is not Kind.CLASSES:
            return Shown(label=None, score=None)
        told = int(classes(outputs, self._boundary)[0])
        scores = outputs[0].astype(np.float64)
        if len(scores) == 1:  # to say no is as sure as to say yes is not
            scores = np.array([2 * self._boundary - scores[0], scores[0]])
        return Shown(label=self._names[told], score=float(scores[told]))


def _condensing(measure: Measure) -> tuple[object, int]:
    """Tell what decides the condensed rows of a measure."""
    return measure.metric.condense, id(measure.wanted)


def _resampled(metrics: Sequence[Metric], rows: Sequence[Array]) -> dict[int, Array]:
    """Resample all metrics but accuracies, by number; those of the same rows together."""
    shared: dict[int, list[int]] = {}
    for number, (metric, its) in enumerate(zip(metrics, rows, strict=True)):
        if not is_accuracy(metric, its):
            shared.setdefault(id(its), []).append(number)
    if not shared:
        return {}
    groups = list(shared.values())
    found = resampled([(rows[each[0]], [metrics[i].value for i in each]) for each in groups])
    return {
        number: values
        for numbers, made in zip(groups, found, strict=True)
        for number, values in zip(numbers, made, strict=True)
    }


def _kind(outputs: Array, measures: Sequence[Measure], ends: Array) -> Kind:
    """Tell what an output holds."""
    family = measures[0].metric.family if measures else Family.OWN
    if family is Family.SEGMENTATION:
        return Kind.CLASS_MAP
    return Kind.CLASSES if tells_classes(outputs, family, ends) else Kind.VALUES


def _names(outputs: Array, classes: Sequence[str]) -> tuple[str, ...]:
    """Name the classes of scores (samples, classes): by number, if their names do not fit."""
    if outputs.ndim != _SAMPLES_AND_CLASSES:
        return ()
    count = class_count(outputs.shape[1])
    return tuple(classes) if len(classes) == count else tuple(map(str, range(count)))
