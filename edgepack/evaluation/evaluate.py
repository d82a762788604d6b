"""Hold the outputs of models against labels, and against those of the float model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from edgepack.evaluation.bootstrap import resampled
from edgepack.evaluation.metric_change import Scored, is_accuracy, metric_result
from edgepack.evaluation.output_distance import DistantSample, output_distance
from edgepack.evaluation.output_noise import Noise, OutputKind
from edgepack.evaluation.paired_outputs import Array, Mask, dequantized, paired_blocks, real_blocks
from edgepack.evaluation.per_class import MOST_CLASSES, class_results
from edgepack.evaluation.results import ClassResult, OutputResult, Shown, WorstSample
from edgepack.evaluation.scores import Score
from edgepack.metrics import are_probabilities, class_count, decision_boundary, predicted_classes
from edgepack.metrics.metric import Family, Measure, Metric
from edgepack.storage.arrays import extremes, take
from edgepack.tflite.graph import Tensor

_SAMPLES_AND_CLASSES = 2


class Evaluator:
    """Evaluates one output of models on the same samples, held against the float model's.

    ``float_outputs`` are real values (samples, ...). ``measures`` hold an output against what was
    wanted, the one that was asked for first; none without labels. ``classes`` are the names of
    the classes, if they have any. What is mapped is read by blocks, so that memory stays flat.

    Outputs of other models have the float model's shape; ``tensor`` tells what integers in them
    stand for, and is None for real values.
    """

    def __init__(
        self,
        float_outputs: Array,
        measures: Sequence[Measure] = (),
        classes: Sequence[str] = (),
    ) -> None:
        ends = extremes(float_outputs)
        self._float_outputs = float_outputs
        self._measures = tuple(measures)
        self._boundary = decision_boundary(ends)
        self._kind = _kind(float_outputs, self._measures, ends)
        self._names = _names(float_outputs, classes)

    def score(self, outputs: Array, tensor: Tensor | None, mask: Mask | None = None) -> Score:
        """Tell in figures how good another model is, and how far from the float model.

        With a ``mask`` of the samples, ``outputs`` has those only.
        """
        noise = Noise(self._kind, self._boundary)
        for _, ours, theirs in paired_blocks(self._float_outputs, outputs, tensor, mask):
            noise.add(ours, theirs)
        return Score(
            value=self.value(outputs, tensor, mask),
            agreement=noise.agreement,
            sqnr_db=noise.sqnr_db,
            max_abs_error=noise.max_abs_error,
            mean_abs_error=noise.mean_abs_error,
        )

    def value(
        self, outputs: Array, tensor: Tensor | None, mask: Mask | None = None
    ) -> float | None:
        """Compute the metric that was asked for; None without labels, and where it is no number."""
        if not self._measures:
            return None
        (rows,) = self._condensed(self._measures[:1], outputs, tensor, mask)
        value = self._measures[0].metric.of(rows)
        return value if math.isfinite(value) else None

    def float_value(self, mask: Mask | None = None) -> float | None:
        """Compute the metric of the float model, on the samples of a ``mask`` if there is one."""
        return self.value(self._float_outputs, None, mask)

    def float_result(self) -> OutputResult:
        """Tell how good the float model is."""
        classes, confusion = self._by_class(self._float_outputs, None)
        metrics = {each.metric.name: metric_result(each, None) for each in self._of_float}
        return OutputResult(metrics=metrics, classes=classes, confusion=confusion)

    def result(self, outputs: Array, tensor: Tensor | None) -> OutputResult:
        """Tell all that there is to tell of another model, from intervals to the worst samples."""
        classes, confusion = self._by_class(outputs, tensor)
        far, worst = output_distance(
            self._float_outputs, outputs, tensor, self._kind, self._boundary
        )
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

    @cached_property
    def _of_float(self) -> list[Scored]:
        return self._scored(self._float_outputs, None)

    def _scored(self, outputs: Array, tensor: Tensor | None) -> list[Scored]:
        """Measure outputs by each metric, and resample all but accuracies."""
        if not self._measures:
            return []
        metrics = [measure.metric for measure in self._measures]
        rows = self._condensed(self._measures, outputs, tensor)
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

    def _condensed(
        self,
        measures: Sequence[Measure],
        outputs: Array,
        tensor: Tensor | None,
        mask: Mask | None = None,
    ) -> list[Array]:
        """Condense the samples for each metric, by blocks; metrics of the same rows share them."""
        distinct = {_condensing(measure): measure for measure in measures}
        made: dict[tuple[object, int], list[Array]] = {key: [] for key in distinct}
        for samples, values in real_blocks(outputs, tensor, mask):
            for key, measure in distinct.items():
                wanted = samples.of(measure.read(samples.rows))
                made[key].append(measure.metric.condense(values, wanted, self._boundary))
        condensed = {key: np.concatenate(each) for key, each in made.items()}
        return [condensed[_condensing(measure)] for measure in measures]

    @cached_property
    def _labels(self) -> Array | None:
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

    def _worst(self, sample: DistantSample, outputs: Array, tensor: Tensor | None) -> WorstSample:
        rows = slice(sample.index, sample.index + 1)
        return WorstSample(
            index=sample.index,
            wanted=None if self._labels is None else self._names[self._labels[sample.index]],
            of_float=self._shown(take(self._float_outputs, rows)),
            of_other=self._shown(dequantized(take(outputs, rows), tensor)),
            distance=sample.distance,
        )

    def _shown(self, outputs: Array) -> Shown:
        """Tell what a model says of one sample, with a batch of 1."""
        if self._kind is not OutputKind.CLASSES:
            return Shown(label=None, score=None)
        told = int(predicted_classes(outputs, self._boundary)[0])
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


def _kind(outputs: Array, measures: Sequence[Measure], ends: Array) -> OutputKind:
    """Tell what an output holds."""
    family = measures[0].metric.family if measures else Family.OWN
    if family is Family.SEGMENTATION:
        return OutputKind.CLASS_MAP
    return (
        OutputKind.CLASSES if is_classification_output(outputs, family, ends) else OutputKind.VALUES
    )


def is_classification_output(outputs: Array, family: Family, ends: Array) -> bool:
    """Whether outputs tell classes: of an own metric, a lone logit might be a value.

    ``ends`` has the least and the largest of the outputs. Without a metric ``family`` is OWN.
    """
    if outputs.ndim != _SAMPLES_AND_CLASSES:
        return False
    if family is not Family.OWN:
        return family is Family.CLASSIFICATION
    return outputs.shape[1] > 1 or are_probabilities(ends)


def _names(outputs: Array, classes: Sequence[str]) -> tuple[str, ...]:
    """Name the classes of scores (samples, classes): by number, if their names do not fit."""
    if outputs.ndim != _SAMPLES_AND_CLASSES:
        return ()
    count = class_count(outputs.shape[1])
    return tuple(classes) if len(classes) == count else tuple(map(str, range(count)))
