"""Scores of runs compared with the float model's run, cached between comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from edgepack.core.codec import as_json
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.results import OutputResult
from edgepack.metrics import Family, Measure, RecordArray, Rows
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs, array_digest
from edgepack.storage.cache import Cache
from edgepack.tflite.graph import Tensor
from edgepack.tflite.output_parts import OutputLayout


class Scoring:
    """Scores one output of models against the float model's.

    ``place`` is the index of the output, ``float_run`` the float model's run. ``measures`` has the
    metric of the verdict first, and is empty without labels. ``classes`` are the class names.
    """

    def __init__(
        self,
        place: int,
        float_run: RuntimeOutputs,
        measures: Sequence[Measure],
        classes: Sequence[str],
        cache: Cache,
    ) -> None:
        self._place = place
        self._float = float_run.outputs[place]
        self._measures = measures
        self._classes = classes
        runs_code = any(measure.metric.family is Family.OWN for measure in measures)
        self._cache = cache.without_storage() if runs_code else cache
        contents = {id(each): _content(each) for each in _distinct_targets(measures)}
        self._key = [
            "score",
            place,
            float_run.content,
            [measure.metric.name for measure in measures],
            [contents[id(measure.wanted)] for measure in measures],
            list(classes),
        ]

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self._float, self._measures, self._classes)

    def float_result(self) -> OutputResult:
        """Score the float model itself."""
        return self._cached(None, lambda: self._evaluator.float_result())  # noqa: PLW0108 (only if it is needed)

    def result(
        self,
        run: RuntimeOutputs,
        tensor: Tensor,
        layout: OutputLayout,
        compressed: RuntimeOutputs | None,
    ) -> OutputResult:
        """Score the run of an interpreter; ``tensor`` and ``layout`` are of its model's output.

        ``compressed`` is the run of the compressed float model that it was quantized from, or that
        it is, if there is one.
        """

        def compute() -> OutputResult:
            outputs = run.outputs[self._place]
            channels = self._evaluator.channels(outputs, tensor, layout)
            before = compressed.outputs[self._place] if compressed else None
            return replace(self._evaluator.result(outputs, tensor, before), channels=channels)

        before = compressed and compressed.content
        return self._cached([run.content, before, *_layout_key(layout)], compute)

    def _cached(self, content: Any, compute: Callable[[], OutputResult]) -> OutputResult:
        return self._cache.get_or_compute([*self._key, content], OutputResult, compute)


def _layout_key(layout: OutputLayout) -> list[Any]:
    return [layout.step, array_digest(layout.origins), as_json(layout.parts)]


def _distinct_targets(measures: Sequence[Measure]) -> Iterable[Rows]:
    """Return the targets of the measures, each once, because some measures share them."""
    return {id(measure.wanted): measure.wanted for measure in measures}.values()


def _content(targets: Rows) -> Any:
    """Return the digests of the targets that outputs are compared with."""
    if isinstance(targets, RecordArray):
        return {name: _content(array) for name, array in targets.fields.items()}
    return array_digest(targets if isinstance(targets, np.ndarray) else targets[:])
