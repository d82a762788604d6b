"""The input of rules on a model: its behavior on the data as is and with each mistake undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgepack.calibration.lint.observe import Observation, observe
from edgepack.calibration.lint.preprocessing_mistakes import undo_mistakes
from edgepack.load.loaded_model import FloatModel
from edgepack.storage.arrays import Arrays

_NEARLY_BEST = 0.9


@dataclass(frozen=True, kw_only=True, eq=False)
class MistakeTrial:
    """The observation of a model after a cure has undone a mistake in its inputs."""

    cure: str
    observation: Observation


class MistakeTrials:
    """The trials of every mistake that fits the samples, run when they are first iterated over."""

    def __init__(self, model: FloatModel, inputs: Arrays) -> None:
        self._model = model
        self._inputs = inputs
        self._trials: list[MistakeTrial] | None = None

    @property
    def inputs(self) -> int:
        """The number of the model's inputs."""
        return len(self._inputs)

    def __iter__(self) -> Iterator[MistakeTrial]:
        if self._trials is None:
            self._trials = [
                MistakeTrial(cure=cure, observation=observe(self._model, inputs))
                for cure, inputs in undo_mistakes(self._inputs)
            ]
        return iter(self._trials)


@dataclass(frozen=True, kw_only=True, eq=False)
class LintEvidence:
    """The observation of a model on the samples as they are, their labels, and the trials.

    ``labels`` are class numbers of shape (samples,), by output; ``classes`` are their names, if
    known.
    """

    observation: Observation
    labels: Arrays
    trials: MistakeTrials
    classes: tuple[str, ...] = ()


RuleResult = tuple[str, str]
"""The sentence and the cure of a finding."""


def simplest(cured: list[tuple[float, str]]) -> tuple[float, str]:
    """Return the first (score, cure) with at least 90% of the best score.

    Cures are in the order of :data:`MISTAKES`, the simplest first.
    """
    best = max(score for score, _ in cured)
    return next(each for each in cured if each[0] >= _NEARLY_BEST * best)
