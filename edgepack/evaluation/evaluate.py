"""Evaluation of model outputs against labels, and against the float model's outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from edgepack.evaluation.bootstrap import resample
from edgepack.evaluation.channels import ChannelGroup, compare_channels, have_unlike_ranges
from edgepack.evaluation.collapse import MIN_VARIATION, is_at_chance
from edgepack.evaluation.metric_change import MetricScore, is_accuracy, metric_result
from edgepack.evaluation.output_distance import DistantSample, output_distance
from edgepack.evaluation.output_noise import OutputKind, OutputNoise
from edgepack.evaluation.paired_outputs import Array, Mask, dequantized, paired_blocks, real_blocks
from edgepack.evaluation.per_class import MAX_CLASSES, class_losses, class_results
from edgepack.evaluation.results import (
    ClassLoss,
    ClassResult,
    Collapse,
    MetricResult,
    OutputResult,
    Shown,
    WorstSample,
)
from edgepack.evaluation.scores import Score
from edgepack.metrics import are_probabilities, class_count, decision_boundary, predicted_classes
from edgepack.metrics.metric import Family, Measure, Metric
from edgepack.storage.arrays import min_and_max, read_slice
from edgepack.tflite.graph import Tensor
from edgepack.tflite.output_parts import OutputLayout

_SAMPLES_AND_CLASSES = 2


class Evaluator:
    """Evaluates one output of several models on the same samples, compared with the float model's.

    ``float_outputs`` are real values (samples, ...). ``measures`` are the metrics with their
    targets, the requested one first; empty without labels. ``classes`` are the class names, if
    there are any. Memory-mapped arrays are read by blocks, so that memory use stays flat.

    Outputs of other models have the float model's shape; ``tensor`` has the quantization of integer
    outputs, and is None for real values.
    """

    def __init__(
        self,
        float_outputs: Array,
        measures: Sequence[Measure] = (),
        classes: Sequence[str] = (),
    ) -> None:
        self._bounds = min_and_max(float_outputs)
        self._float_outputs = float_outputs
        self._measures = tuple(measures)
        self._boundary = decision_boundary(self._bounds)
        self._kind = _kind(float_outputs, self._measures, self._bounds)
        self._names = _class_names(float_outputs, classes)

    def score(
        self,
        outputs: Array,
        tensor: Tensor | None,
        mask: Mask | None = None,
        compressed: Array | None = None,
    ) -> Score:
        """Score another model by its metric and its difference from the float model.

        With a ``mask``, ``outputs`` has only its samples. ``compressed`` are the real outputs of
        the compressed float model (samples, ...), if there is one: training may change outputs as
        much as noise does, so only what differs from these is noise.
        """
        noise = self._noise(self._float_outputs, outputs, tensor, mask)
        metric = self._requested_metric(outputs, tensor, mask)
        losses, collapse = self._compare_classes(outputs, tensor, mask)
        return Score(
            value=metric.value if metric else None,
            agreement=noise.agreement,
            sqnr_db=noise.sqnr_db,
            max_abs_error=noise.max_abs_error,
            mean_abs_error=noise.mean_abs_error,
            change=metric.change if metric else None,
            class_losses=losses,
            collapse=self._real_collapse(
                noise.collapse, noise.max_abs_error, outputs, tensor, mask, compressed
            )
            or collapse,
        )

    def _noise(
        self, float_outputs: Array, outputs: Array, tensor: Tensor | None, mask: Mask | None
    ) -> OutputNoise:
        noise = OutputNoise(self._kind, self._boundary, tensor)
        for _, float_block, block in paired_blocks(float_outputs, outputs, tensor, mask):
            noise.add(float_block, block)
        return noise

    def _real_collapse(
        self,
        collapse: Collapse | None,
        max_abs_error: float,
        outputs: Array,
        tensor: Tensor | None,
        mask: Mask | None = None,
        compressed: Array | None = None,
    ) -> Collapse | None:
        """Return a collapse of the outputs, unless compression or samples make it look like one.

        Of the differences from the float model, only those from the ``compressed`` one are noise.
        The only score of a binary classifier is near 0 on samples of the class 0: the steps of its
        scale, which suit probabilities up to 1, cannot show by how much. Nothing that tells
        the classes apart is lost.
        """
        if collapse is Collapse.NOISE and compressed is not None:
            collapse = self._noise(compressed, outputs, tensor, mask).collapse
        labels, is_single = self._labels, self._float_outputs.shape[-1] == 1
        if labels is None or not is_single or not self._boundary or max_abs_error > MIN_VARIATION:
            return collapse
        return collapse if (labels if mask is None else labels[mask]).any() else None

    def _requested_metric(
        self, outputs: Array, tensor: Tensor | None, mask: Mask | None
    ) -> MetricResult | None:
        """Compare the requested metric with the float model's; None without labels."""
        first = self._measures[:1]
        if not first:
            return None
        of_float = (
            self._float_scores
            if mask is None
            else self._metric_scores(first, self._float_outputs, None, mask)
        )
        return metric_result(self._metric_scores(first, outputs, tensor, mask)[0], of_float[0])

    def channels(
        self, outputs: Array, tensor: Tensor | None, layout: OutputLayout, mask: Mask | None = None
    ) -> tuple[ChannelGroup, ...]:
        """Return what the scale of another model's output under-resolves; none of class scores.

        An output of one value per class counts as class scores if labels say so, or if it has but
        one part: scores have one meaning, however rare a class is.
        """
        is_known = bool(self._measures) and self._kind is not OutputKind.VALUES
        if is_known or (self._kind is OutputKind.CLASSES and not layout.is_joined):
            return ()
        by_channel = self._kind is OutputKind.VALUES
        return compare_channels(
            self._float_outputs,
            outputs,
            tensor,
            layout,
            bounds=self._bounds,
            by_channel=by_channel,
            mask=mask,
        )

    def value(
        self, outputs: Array, tensor: Tensor | None, mask: Mask | None = None
    ) -> float | None:
        """Compute the requested metric; None without labels, or if it is undefined."""
        if not self._measures:
            return None
        (rows,) = self._condense(self._measures[:1], outputs, tensor, mask)
        value = self._measures[0].metric.value_of_rows(rows)
        return value if math.isfinite(value) else None

    def float_value(self, mask: Mask | None = None) -> float | None:
        """Compute the requested metric for the float model, on the samples of ``mask`` if set."""
        return self.value(self._float_outputs, None, mask)

    def float_result(self) -> OutputResult:
        """Return the results of the float model itself."""
        classes, confusion = self._class_results(self._float_outputs, None)
        metrics = {each.metric.name: metric_result(each, None) for each in self._float_scores}
        return OutputResult(metrics=metrics, classes=classes, confusion=confusion)

    def result(
        self, outputs: Array, tensor: Tensor | None, compressed: Array | None = None
    ) -> OutputResult:
        """Return all results of another model, from intervals to the worst samples.

        ``compressed`` is as in :meth:`score`.
        """
        classes, confusion = self._class_results(outputs, tensor)
        distance, worst = output_distance(
            self._float_outputs, outputs, tensor, self._kind, self._boundary
        )
        losses, collapse = self._compare_classes(outputs, tensor)
        return OutputResult(
            metrics={
                score.metric.name: metric_result(score, float_score)
                for score, float_score in zip(
                    self._metric_scores(self._measures, outputs, tensor),
                    self._float_scores,
                    strict=True,
                )
            },
            classes=classes,
            class_losses=losses,
            confusion=confusion,
            distance=replace(
                distance,
                collapse=self._real_collapse(
                    distance.collapse,
                    distance.max_abs_error,
                    outputs,
                    tensor,
                    compressed=compressed,
                )
                or collapse,
            ),
            worst=tuple(self._worst_sample(sample, outputs, tensor) for sample in worst),
        )

    @cached_property
    def _float_scores(self) -> list[MetricScore]:
        return self._metric_scores(self._measures, self._float_outputs, None)

    def _metric_scores(
        self,
        measures: Sequence[Measure],
        outputs: Array,
        tensor: Tensor | None,
        mask: Mask | None = None,
    ) -> list[MetricScore]:
        """Compute each metric, and its bootstrap resamples unless it is an accuracy."""
        if not measures:
            return []
        metrics = [measure.metric for measure in measures]
        condensed = self._condense(measures, outputs, tensor, mask)
        values = _resample(metrics, condensed)
        return [
            MetricScore(
                metric=metric,
                value=metric.value_of_rows(rows),
                is_correct=rows if is_accuracy(metric, rows) else None,
                resampled=values.get(index),
                samples=len(rows),
            )
            for index, (metric, rows) in enumerate(zip(metrics, condensed, strict=True))
        ]

    def _condense(
        self,
        measures: Sequence[Measure],
        outputs: Array,
        tensor: Tensor | None,
        mask: Mask | None = None,
    ) -> list[Array]:
        """Condense the samples for each metric, by blocks; equal rows are computed once."""
        distinct = {_rows_key(measure): measure for measure in measures}
        parts: dict[tuple[object, int], list[Array]] = {key: [] for key in distinct}
        for samples, values in real_blocks(outputs, tensor, mask):
            for key, measure in distinct.items():
                targets = samples.select(measure.read(samples.rows))
                parts[key].append(measure.metric.condense(values, targets, self._boundary))
        condensed = {key: np.concatenate(blocks) for key, blocks in parts.items()}
        return [condensed[_rows_key(measure)] for measure in measures]

    @cached_property
    def _labels(self) -> Array | None:
        """The label of each sample, int64 (samples,); None if the task is not classification."""
        first = next(iter(self._measures), None)
        if first is None or first.metric.family is not Family.CLASSIFICATION:
            return None
        return np.asarray(first.wanted[:]).astype(np.int64) if self._names else None

    @cached_property
    def _is_float_right(self) -> Array:
        """Whether the float model predicts the label, bool (samples,)."""
        return self._is_right(self._float_outputs, None)

    def _is_right(self, outputs: Array, tensor: Tensor | None, mask: Mask | None = None) -> Array:
        assert self._labels is not None  # noqa: S101 (the callers looked)
        return np.concatenate(
            [
                predicted_classes(values, self._boundary)
                == samples.select(self._labels[samples.rows])
                for samples, values in real_blocks(outputs, tensor, mask)
            ]
        )

    def _compare_classes(
        self, outputs: Array, tensor: Tensor | None, mask: Mask | None = None
    ) -> tuple[tuple[ClassLoss, ...], Collapse | None]:
        """Return what each class loses, and whether only the float model does better than guessing.

        Nothing unless the task is classification.
        """
        if self._labels is None:
            return (), None
        labels, of_float = self._labels, self._is_float_right
        if mask is not None:
            labels, of_float = labels[mask], of_float[mask]
        of_other = self._is_right(outputs, tensor, mask)
        collapse = Collapse.CHANCE if is_at_chance(labels, of_float, of_other) else None
        if len(self._names) > MAX_CLASSES:
            return (), collapse
        return class_losses(labels, of_float, of_other, self._names), collapse

    def _class_results(
        self, outputs: Array, tensor: Tensor | None
    ) -> tuple[tuple[ClassResult, ...], tuple[tuple[int, int, int], ...]]:
        if self._labels is None or len(self._names) > MAX_CLASSES:
            return (), ()
        return class_results(outputs, tensor, self._boundary, self._labels, self._names)

    def _worst_sample(
        self, sample: DistantSample, outputs: Array, tensor: Tensor | None
    ) -> WorstSample:
        rows = slice(sample.index, sample.index + 1)
        return WorstSample(
            index=sample.index,
            wanted=None if self._labels is None else self._names[self._labels[sample.index]],
            of_float=self._prediction(read_slice(self._float_outputs, rows)),
            of_other=self._prediction(dequantized(read_slice(outputs, rows), tensor)),
            distance=sample.distance,
        )

    def _prediction(self, outputs: Array) -> Shown:
        """Return the prediction for one sample, from outputs with a batch of 1."""
        if self._kind is not OutputKind.CLASSES:
            return Shown(label=None, score=None)
        predicted = int(predicted_classes(outputs, self._boundary)[0])
        scores = outputs[0].astype(np.float64)
        if len(scores) == 1:  # class 0 of a binary classifier has the complementary score
            scores = np.array([2 * self._boundary - scores[0], scores[0]])
        return Shown(label=self._names[predicted], score=float(scores[predicted]))


def _rows_key(measure: Measure) -> tuple[object, int]:
    """Return a key that is the same for measures with the same condensed rows."""
    return measure.metric.condense, id(measure.wanted)


def _resample(metrics: Sequence[Metric], condensed: Sequence[Array]) -> dict[int, Array]:
    """Resample all metrics but accuracies, by their index; those with the same rows together."""
    by_rows: dict[int, list[int]] = {}
    for index, (metric, rows) in enumerate(zip(metrics, condensed, strict=True)):
        if not is_accuracy(metric, rows):
            by_rows.setdefault(id(rows), []).append(index)
    if not by_rows:
        return {}
    groups = list(by_rows.values())
    resampled = resample(
        [(condensed[group[0]], [metrics[index].value for index in group]) for group in groups]
    )
    return {
        index: values
        for group, group_values in zip(groups, resampled, strict=True)
        for index, values in zip(group, group_values, strict=True)
    }


def _kind(outputs: Array, measures: Sequence[Measure], bounds: Array) -> OutputKind:
    """Return what an output holds, as far as metric, shape and values show."""
    family = measures[0].metric.family if measures else Family.OWN
    if family is Family.SEGMENTATION:
        return OutputKind.CLASS_MAP
    is_classification = is_classification_output(outputs, family, bounds)
    return OutputKind.CLASSES if is_classification else OutputKind.VALUES


def is_classification_output(outputs: Array, family: Family, bounds: Array) -> bool:
    """Whether outputs are class scores.

    ``bounds`` holds the minimum and the maximum of the outputs. ``family`` is that of the metric,
    OWN without a metric. Then probabilities count as class scores. So do other values, which may
    be logits, if there are several and their ranges are alike: the largest of a distance in
    meters and an angle in degrees means nothing.
    """
    if outputs.ndim != _SAMPLES_AND_CLASSES:
        return False
    if family is not Family.OWN:
        return family is Family.CLASSIFICATION
    if are_probabilities(bounds):
        return True
    return outputs.shape[1] > 1 and not have_unlike_ranges(outputs)


def _class_names(outputs: Array, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the class names for scores (samples, classes): numbers, if ``classes`` do not fit."""
    if outputs.ndim != _SAMPLES_AND_CLASSES:
        return ()
    count = class_count(outputs.shape[1])
    return tuple(classes) if len(classes) == count else tuple(map(str, range(count)))
