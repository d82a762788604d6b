"""Answers held against the float model's: what was computed before is taken from the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.results import OutputResult
from edgepack.metrics import Family, Measure, RecordArray, Rows
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs, digest
from edgepack.storage.cache import Cache
from edgepack.tflite.graph import Tensor


class Scoring:
    """Scores one output of models against the float model's.

    ``place`` is that of the output, ``of_float`` what the float model gave; ``measures`` has the
    metric of the verdict first, and is empty without labels. ``classes`` are names.
    """

    def __init__(
        self,
        place: int,
        of_float: RuntimeOutputs,
        measures: Sequence[Measure],
        classes: Sequence[str],
        cache: Cache,
    ) -> None:
        self._place = place
        self._float = of_float.outputs[place]
        self._measures = measures
        self._classes = classes
        runs_code = any(measure.metric.family is Family.OWN for measure in measures)
        self._cache = cache.forgetful() if runs_code else cache
        contents = {id(each): _content(each) for each in _once(measures)}
        self._key = [
            "score",
            place,
            of_float.content,
            [measure.metric.name for measure in measures],
            [contents[id(measure.wanted)] for measure in measures],
            list(classes),
        ]

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self._float, self._measures, self._classes)

    def float_result(self) -> OutputResult:
        """Score the float model itself."""
        return self._remembered(None, lambda: self._evaluator.float_result())  # noqa: PLW0108 (only if it is needed)

    def result(self, answer: RuntimeOutputs, tensor: Tensor) -> OutputResult:
        """Score what an interpreter gave; ``tensor`` is the output of its model."""
        return self._remembered(
            answer.content, lambda: self._evaluator.result(answer.outputs[self._place], tensor)
        )

    def _remembered(self, other: Any, make: Callable[[], OutputResult]) -> OutputResult:
        return self._cache.remember([*self._key, other], OutputResult, make)


def _once(measures: Sequence[Measure]) -> Iterable[Rows]:
    """Give what measures want, once each: some share it."""
    return {id(measure.wanted): measure.wanted for measure in measures}.values()


def _content(wanted: Rows) -> Any:
    """Digest what outputs are held against."""
    if isinstance(wanted, RecordArray):
        return {name: _content(array) for name, array in wanted.fields.items()}
    return digest(wanted if isinstance(wanted, np.ndarray) else wanted[:])
