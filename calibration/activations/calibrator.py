"""Calibration: what each activation of a float model looks like over a representative dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgepack.calibration.activations.activation_statistics import Growth, Observed, Statistics
from edgepack.calibration.activations.histogram import Extent, Histogram
from edgepack.calibration.activations.instrument import instrument
from edgepack.core.codec import restore
from edgepack.core.progress import Parts, Update
from edgepack.workers.client import Worker

_MAX_PROCESSES = 4
_STRETCHES = 16


@contextmanager
def observers_at_work(*, verbose: bool = False) -> Iterator[Calibrator]:
    """Start the worker processes of a calibration, so that they are ready when the model is."""
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
    """Worker processes that run a float model, each its share of the samples."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    def observe(
        self,
        float_tflite: bytes,
        inputs: Mapping[str, str],
        *,
        samples: int,
        histograms: bool,
        work: Path,
        update: Update,
    ) -> Observed:
        """Run a float .tflite over a representative dataset, once.

        ``inputs`` are .npy files of shape (samples, ...) in the order of the file's inputs, with
        their dtypes; they are read in blocks. ``histograms`` asks for those too; ``work`` is a
        folder for files. The result does not depend on the number of processes.

        Raises :class:`~edgepack.core.errors.ConversionError` if LiteRT cannot run the model, and
        :class:`~edgepack.core.errors.DatasetError` if it computes what is not finite.
        """
        model = work / "instrumented.tflite"
        instrumented = instrument(float_tflite)
        model.write_bytes(instrumented.tflite)
        for opened in [
            worker.start(
                "open",
                model=str(model),
                activations=instrumented.activations,
                histograms=histograms,
            )
            for worker in self._workers
        ]:
            opened.result()
        files = list(inputs.values())
        block = self._workers[0].call("block", inputs=files)
        stretches = _stretches(samples, block)
        counter = Parts(update, samples)
        answers = [
            self._workers[number % len(self._workers)].start(
                "observe",
                update=counter.part(str(number)),
                inputs=files,
                start=start,
                stop=stop,
                block=block,
            )
            for number, (start, stop) in enumerate(stretches)
        ]
        parts = [restore(dict[str, Statistics], answer.result()) for answer in answers]
        until = [stop for _, stop in stretches]
        joined = list(_joined(parts))
        activations = joined[-1]
        if histograms:
            merged = self._histograms(work)
            activations = {
                name: replace(seen, histogram=merged[name]) for name, seen in activations.items()
            }
        return Observed(samples=samples, activations=activations, growth=_growth(until, joined))

    def _histograms(self, work: Path) -> dict[str, Histogram]:
        merged: dict[str, Histogram] = {}
        for number, worker in enumerate(self._workers):
            path = work / f"histograms-{number}.npy"
            extents = restore(dict[str, Extent], worker.call("histograms", path=str(path)))
            counts = np.load(path)
            for name, its in extents.items():
                own, counts = counts[: its.bins], counts[its.bins :]
                found = Histogram(
                    exponent=its.exponent, first=its.first, counts=own, zeros=its.zeros
                )
                merged[name] = merged[name].merged(found) if name in merged else found
        return merged


def _stretches(samples: int, block: int) -> list[tuple[int, int]]:
    """Cut the samples into stretches, of whole blocks if long: the work is shared out in them."""
    length = -(-samples // _STRETCHES)
    if length > block:
        length = -(-length // block) * block
    return [(start, min(start + length, samples)) for start in range(0, samples, length)]


def _joined(parts: list[dict[str, Statistics]]) -> Iterator[dict[str, Statistics]]:
    """Join the stretches in order: the first, the first two, ... all."""
    whole: dict[str, Statistics] = {}
    for part in parts:
        whole = {
            name: whole[name].then(seen) if name in whole else seen for name, seen in part.items()
        }
        yield whole


def _growth(until: list[int], joined: list[dict[str, Statistics]]) -> tuple[Growth, ...]:
    """Compare the ranges after half of the stretches, a quarter, ... with those after all."""
    found = []
    count = len(joined) // 2
    while count:
        missing = {
            name: _missing(joined[count - 1][name], final) for name, final in joined[-1].items()
        }
        worst = max(missing, key=missing.__getitem__)
        found.append(
            Growth(
                samples=until[count - 1],
                mean=float(np.mean(list(missing.values()))),
                largest=missing[worst],
                activation=worst,
            )
        )
        count //= 2
    return tuple(reversed(found))


def _missing(early: Statistics, final: Statistics) -> float:
    width = final.max - final.min
    return 1 - (early.max - early.min) / width if width > 0 else 0.0
