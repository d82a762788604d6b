"""Scores of trials: by which outputs, or parts of them, changes are judged, and which help."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgepack.evaluation.channels import ChannelGroup
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.paired_outputs import Array
from edgepack.evaluation.scores import Score
from edgepack.layer_errors.paired_agreement import agreeing_samples, is_agreement_lost
from edgepack.layer_errors.result import MIN_GAIN_DB, Trial, WorstScore
from edgepack.quantization.affine import dequantize
from edgepack.runtimes.run_result import Run
from edgepack.tflite.graph import Model
from edgepack.tflite.output_parts import OutputLayout
from edgepack.tflite.split_outputs import SplitOutputs


@dataclass(frozen=True, kw_only=True, eq=False)
class OutputView:
    """An output by its place, or a part of it: what ``index`` or flat ``positions`` select."""

    output: int
    index: tuple[slice, ...] = ()
    positions: Array | None = None

    @property
    def is_part(self) -> bool:
        """Whether it is not the whole output."""
        return bool(self.index) or self.positions is not None

    def of(self, outputs: Sequence[Array]) -> Array:
        """Return the values, (samples, ...), of all outputs."""
        values = outputs[self.output]
        if self.positions is not None:
            return values.reshape(len(values), -1)[:, self.positions]
        return values[self.index] if self.index else values


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialOutcome:
    """A model's score, and by interpreter and view which samples have float's class.

    ``sqnr_db`` is the lowest of all views: infinite without noise, and minus infinity for outputs
    that are not finite, or noise where float is zero, of which the score says nothing.
    """

    score: WorstScore
    sqnr_db: float
    agreeing: Mapping[tuple[str, int], Array]


class TrialJudge:
    """Scores models by views of the float model's ``outputs``, (samples, ...) each."""

    def __init__(self, views: Iterable[OutputView], outputs: Sequence[Array]) -> None:
        self.judged_views = tuple(views)
        self._outputs = len(outputs)
        self._expected = [view.of(outputs) for view in self.judged_views]
        self._evaluators = [Evaluator(values) for values in self._expected]

    @property
    def is_by_part(self) -> bool:
        """Whether views are of parts of outputs."""
        return any(view.is_part for view in self.judged_views)

    def outcome(self, model: Model, runs: Mapping[str, Run]) -> TrialOutcome:
        """Score a model: the worst view on the worst interpreter.

        The outputs of a model with split outputs are the views.
        """
        tensors = model.main.output_tensors
        is_split = len(tensors) > self._outputs
        scores: list[Score] = []
        agreeing: dict[tuple[str, int], Array] = {}
        for runtime, run in runs.items():
            if not run.outputs:
                continue
            outputs = [dequantize(run.outputs[str(n)], each) for n, each in enumerate(tensors)]
            for place, view in enumerate(self.judged_views):
                values = outputs[place] if is_split else view.of(outputs)
                score = self._evaluators[place].score(values, None)
                if view.is_part:  # it has no classes
                    score = replace(score, agreement=None)
                scores.append(score)
                if score.agreement is not None:
                    agreeing[runtime, place] = agreeing_samples(self._expected[place], values)
        return TrialOutcome(
            score=WorstScore.of(scores), sqnr_db=min(map(_decibels, scores)), agreeing=agreeing
        )


def judged_views(
    layouts: Mapping[str, OutputLayout],
    split: SplitOutputs | None,
    channels: Mapping[str, Sequence[ChannelGroup]],
) -> Iterator[OutputView]:
    """Yield what changes are judged by: the parts of a split output, or else what share a scale."""
    if split:
        for part in split.outputs:
            yield OutputView(output=part.source, index=part.index)
        return
    for place, (name, layout) in enumerate(layouts.items()):
        groups = channels.get(name, ())
        if groups and layout.is_joined:
            for each in layout.parts:
                positions = np.flatnonzero(each.source.holds(layout.origins))
                yield OutputView(output=place, positions=positions)
            continue
        yield OutputView(output=place)
        for group in groups:
            index = (slice(None), *(slice(first, end) for first, end in group.region))
            yield OutputView(output=place, index=index)


def is_helpful(before: TrialOutcome, after: TrialOutcome) -> bool:
    """Whether a change gains, and loses no agreement as far as the samples show."""
    lost = (
        is_agreement_lost(before.agreeing[key], after.agreeing[key])
        for key in before.agreeing.keys() & after.agreeing.keys()
    )
    gain = after.sqnr_db - before.sqnr_db  # NaN if neither has noise
    return gain >= MIN_GAIN_DB and not any(lost)


def trial_rank(trial: Trial) -> tuple[bool, float]:
    """Return a key that sorts trials: those that help first, then by their SQNR."""
    if trial.after is None:
        return not trial.helps, math.inf
    return not trial.helps, -math.inf if trial.after.sqnr_db is None else -trial.after.sqnr_db


def _decibels(score: Score) -> float:
    """Return the SQNR; infinite without noise, minus infinity where it is undefined."""
    if score.sqnr_db is not None:
        return score.sqnr_db
    return math.inf if score.max_abs_error == 0 else -math.inf
