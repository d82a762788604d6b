"""What rules on a model work with: what it shows, as the data are and with each mistake undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgepack.calibration.lint.observe import Observation, observe
from edgepack.calibration.lint.preprocessing_mistakes import undone
from edgepack.load.loaded_model import FloatModel
from edgepack.storage.arrays import Arrays

_NEARLY = 0.9


@dataclass(frozen=True, kw_only=True, eq=False)
class MistakeTrial:
    """What a model shows if a mistake is undone by a cure."""

    cure: str
    shown: Observation


class MistakeTrials:
    """Every mistake that fits the samples, undone and tried on the model when first asked for."""

    def __init__(self, model: FloatModel, inputs: Arrays) -> None:
        self._model = model
        self._inputs = inputs
        self._made: list[MistakeTrial] | None = None

    @property
    def inputs(self) -> int:
        """The number of the model's inputs."""
        return len(self._inputs)

    def __iter__(self) -> Iterator[MistakeTrial]:
        if self._made is None:
            self._made = [
                MistakeTrial(cure=cure, shown=observe(self._model, inputs))
                for cure, inputs in undone(self._inputs)
            ]
        return iter(self._made)


@dataclass(frozen=True, kw_only=True, eq=False)
class LintEvidence:
    """What a model shows on the samples as they are, their class numbers, and the trials."""

    shown: Observation
    labels: Arrays
    trials: MistakeTrials


Told = tuple[str, str]
"""A sentence and a cure."""


def simplest(cured: list[tuple[float, str]]) -> tuple[float, str]:
    """Of cures that are nearly as good as the best, take the first: mistakes go by simplicity."""
    best = max(score for score, _ in cured)
    return next(each for each in cured if each[0] >= _NEARLY * best)
