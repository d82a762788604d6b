"""The service of the worker process that runs a float model to see which values matter."""

from __future__ import annotations

from collections import defaultdict
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.activations.observe_service import BatchRun, ObserveService
from edgepack.calibration.activations.saturation import Facts, find_facts
from edgepack.core.progress import Update


class SaturationService(ObserveService):
    """Runs samples on LiteRT, and finds facts of the activations, or how far two models differ."""

    def facts(self, *, fill: float, update: Update) -> dict[str, Facts]:
        """Return the facts of each activation of the open model on its samples, by name.

        Values of magnitude ``fill`` or more are fills. Raises what :meth:`observe` raises if LiteRT
        cannot run the model.
        """
        block, samples = self.block(update=update), len(self._order)
        found = dict.fromkeys(self._activations, Facts())
        for first in range(0, samples, block):
            last = min(first + block, samples)
            run = self._run(last - first)
            run.invoke(self._read(first, last))
            for name, index in self._activations.items():
                found[name] |= find_facts(run.value(index), fill)
            update(last, samples)
        return found

    def difference(self, *, models: list[str], update: Update) -> float:
        """Return the largest difference between the same output of two models on the open samples.

        It is a fraction of the largest value of that output of the first model.
        """
        first, second = (BatchRun(Path(model).read_bytes(), 1) for model in models)
        tops: dict[int, float] = defaultdict(float)
        distances: dict[int, float] = defaultdict(float)
        samples = len(self._order)
        for row in range(samples):
            sample = self._read(row, row + 1)
            first.invoke(sample)
            second.invoke(sample)
            pairs = zip(first.outputs(), second.outputs(), strict=True)
            for number, (given, changed) in enumerate(pairs):
                top = np.abs(given.astype(np.float64)).max(initial=0)
                tops[number] = max(tops[number], float(top))
                distances[number] = max(distances[number], _distance(given, changed))
            update(row + 1, samples)
        return max(
            distance / tops[number] if tops[number] else distance and inf
            for number, distance in distances.items()
        )


def _distance(given: NDArray[Any], changed: NDArray[Any]) -> float:
    """Return the largest absolute difference; infinite if only one of the arrays is finite."""
    is_same = (given == changed) | (np.isnan(given) & np.isnan(changed))
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        distance = np.abs(given.astype(np.float64) - changed.astype(np.float64))
    return float(np.nan_to_num(np.where(is_same, 0.0, distance), nan=inf).max(initial=0))
