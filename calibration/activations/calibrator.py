"""Calibration: statistics of each activation of a float model on a representative dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgepack.calibration.activations.activation_statistics import Growth, Observed, Statistics
from edgepack.calibration.activations.histogram import Extent, Histogram
from edgepack.calibration.activations.instrument import instrument
from edgepack.calibration.activations.peaks import Outlier, Peaks
from edgepack.core.codec import restore
from edgepack.core.progress import CombinedProgress, Update
from edgepack.storage.arrays import save_array
from edgepack.workers.client import Worker

_MAX_PROCESSES = 4
_CHUNKS = 16


@contextmanager
def start_calibrator(*, verbose: bool = False) -> Iterator[Calibrator]:
    """Start the worker processes of a calibration, so that they are ready before the model is.

    Yields the :class:`Calibrator` that uses them.
    """
    with ExitStack() as stack:
        yield Calibrator(
            [
                stack.enter_context(
                    Worker(
                        "edgepack.calibration.activations.observe_service:ObserveService",
                        label="the calibration",
                        verbose=verbose,
                    )
                )
                for _ in range(min(os.cpu_count() or 1, _MAX_PROCESSES))
            ]
        )


class Calibrator:
    """Runs a float model in worker processes that share the samples."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    def observe(
        self,
        float_tflite: bytes,
        inputs: Mapping[str, str],
        *,
        order: NDArray[np.int64],
        histograms: bool,
        work: Path,
        update: Update,
    ) -> Observed:
        """Run a float .tflite on a representative dataset, once, and return the statistics.

        ``inputs`` are .npy files of shape (samples, ...) in the order of the model's inputs, with
        their dtypes; they are read in blocks. ``order`` has the rows to visit, in this order: only
        moving averages and the growth of the ranges depend on it. ``histograms`` requests
        histograms as well; ``work`` is a folder for temporary files. The result does not depend on
        the number of processes.

        Raises :class:`~edgepack.core.errors.ConversionError` if LiteRT cannot run the model, and
        :class:`~edgepack.core.errors.DatasetError` if an activation is not finite.
        """
        samples = len(order)
        model, rows = work / "instrumented.tflite", work / "order.npy"
        save_array(rows, order)
        instrumented = instrument(float_tflite)
        model.write_bytes(instrumented.tflite)
        for opened in [
            worker.start(
                "open",
                model=str(model),
                activations=instrumented.activations,
                inputs=list(inputs.values()),
                order=str(rows),
                histograms=histograms,
            )
            for worker in self._workers
        ]:
            opened.result()
        block = self._workers[0].call("block")
        chunks = _chunks(samples, block)
        counter = CombinedProgress(update, samples)
        answers = [
            self._workers[number % len(self._workers)].start(
                "observe",
                update=counter.part(str(number)),
                start=start,
                stop=stop,
                block=block,
            )
            for number, (start, stop) in enumerate(chunks)
        ]
        parts = [restore(dict[str, Statistics], answer.result()) for answer in answers]
        stops = [stop for _, stop in chunks]
        cumulative = list(_cumulative(parts))
        activations = cumulative[-1]
        if histograms:
            merged = self._merged_histograms(work)
            activations = {
                name: replace(statistics, histogram=merged[name])
                for name, statistics in activations.items()
            }
        growth = _growth(stops, cumulative)
        return Observed(
            samples=samples,
            activations=activations,
            growth=growth,
            outliers=self._outliers(list(instrumented.activations), work),
        )

    def _outliers(self, names: list[str], work: Path) -> dict[str, Outlier]:
        """Merge the peaks of all workers; returns the lone outliers, by activation."""
        peaks = Peaks.none(len(names))
        for number, worker in enumerate(self._workers):
            values, samples = (work / f"{name}-{number}.npy" for name in ("values", "samples"))
            worker.call("peaks", values=str(values), samples=str(samples))
            peaks = peaks.merged(Peaks(values=np.load(values), samples=np.load(samples)))
        found = {name: peaks.outlier(number) for number, name in enumerate(names)}
        return {name: outlier for name, outlier in found.items() if outlier}

    def _merged_histograms(self, work: Path) -> dict[str, Histogram]:
        """Merge the histograms of all workers, by activation."""
        merged: dict[str, Histogram] = {}
        for number, worker in enumerate(self._workers):
            path = work / f"histograms-{number}.npy"
            extents = restore(dict[str, Extent], worker.call("histograms", path=str(path)))
            counts = np.load(path)
            for name, extent in extents.items():
                own, counts = counts[: extent.bins], counts[extent.bins :]
                part = Histogram(
                    exponent=extent.exponent, first=extent.first, counts=own, zeros=extent.zeros
                )
                merged[name] = merged[name].merged(part) if name in merged else part
        return merged


def _chunks(samples: int, block: int) -> list[tuple[int, int]]:
    """Divide the samples into chunks (start, stop) for the workers, long ones of whole blocks."""
    length = -(-samples // _CHUNKS)
    if length > block:
        length = -(-length // block) * block
    return [(start, min(start + length, samples)) for start in range(0, samples, length)]


def _cumulative(parts: list[dict[str, Statistics]]) -> Iterator[dict[str, Statistics]]:
    """Yield the statistics of the first chunk, of the first two, ... of all."""
    whole: dict[str, Statistics] = {}
    for part in parts:
        whole = {
            name: whole[name].followed_by(statistics) if name in whole else statistics
            for name, statistics in part.items()
        }
        yield whole


def _growth(stops: list[int], cumulative: list[dict[str, Statistics]]) -> tuple[Growth, ...]:
    """Compare the ranges after ... a quarter and half of the chunks with those after all.

    ``stops`` are the numbers of samples that ``cumulative`` covers.
    """
    growth = []
    count = len(cumulative) // 2
    while count:
        missing = {
            name: _missing_fraction(cumulative[count - 1][name], final)
            for name, final in cumulative[-1].items()
        }
        worst = max(missing, key=missing.__getitem__)
        growth.append(
            Growth(
                samples=stops[count - 1],
                mean=float(np.mean(list(missing.values()))),
                largest=missing[worst],
                activation=worst,
            )
        )
        count //= 2
    return tuple(reversed(growth))


def _missing_fraction(early: Statistics, final: Statistics) -> float:
    width = final.max - final.min
    return 1 - (early.max - early.min) / width if width > 0 else 0.0
