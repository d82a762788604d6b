"""The service of the worker processes that run a float model and observe its activations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import interpreter
from numpy.typing import NDArray

from edgepack.calibration.activations.activation_statistics import Statistics, moving_average
from edgepack.calibration.activations.histogram import EMPTY, Extent, Histogram, histogram
from edgepack.calibration.activations.peaks import Peaks
from edgepack.core.errors import ConversionError, DatasetError, reason
from edgepack.core.progress import Update
from edgepack.storage.arrays import load_array, read_chosen_rows, save_array
from edgepack.tflite.converter_names import split_fused_name

_BLOCK_BYTES = 2**24  # of activations: about as much as the processor's caches hold
_MAX_BLOCK = 32
_COMPARED_SAMPLES = 2
_TOLERANCE = 1e-4  # of the largest value: batched kernels may sum in another order


class ObserveService:
    """Runs blocks of samples on LiteRT and collects :class:`Statistics` of the activations."""

    _model: bytes
    _activations: dict[str, int]
    _inputs: list[Path]
    _order: NDArray[np.int64]
    _wants_histograms: bool
    _histograms: dict[str, Histogram]
    _peaks: Peaks
    _runs: dict[int, BatchRun]

    def open(
        self,
        *,
        model: str,
        activations: dict[str, int],
        inputs: list[str],
        order: str,
        histograms: bool,
        update: Update,
    ) -> None:
        """Load a model instrumented by :mod:`edgepack.calibration.activations.instrument`.

        ``inputs`` are .npy files, ``order`` one of the rows to visit.
        """
        update(0, 1)
        self._model = Path(model).read_bytes()
        self._activations = activations
        self._inputs = [Path(path) for path in inputs]
        self._order = load_array(Path(order))
        self._wants_histograms = histograms
        self._histograms = dict.fromkeys(activations, EMPTY)
        self._peaks = Peaks.none(len(activations))
        self._runs = {}

    def block(self, *, update: Update) -> int:
        """Return how many samples to run at a time."""
        update(0, 1)
        single = self._run(1)
        single.invoke(self._read(0, 1))
        sample_bytes = sum(single.value(index).nbytes for index in self._activations.values())
        size = max(1, min(_MAX_BLOCK, _BLOCK_BYTES // max(sample_bytes, 1)))
        return size if size > 1 and self._can_batch(size) else 1

    def observe(
        self, *, start: int, stop: int, block: int, update: Update
    ) -> dict[str, Statistics]:
        """Run samples ``start`` to ``stop`` (excluded) of the order; returns their statistics.

        Raises :class:`DatasetError` if an activation is not finite, and :class:`ConversionError`
        if LiteRT cannot run the model.
        """
        observed: dict[str, Statistics] = {}
        for first in range(start, stop, block):
            last = min(first + block, stop)
            run = self._run(last - first)
            run.invoke(self._read(first, last))
            lows, highs = [], []
            for name, index in self._activations.items():
                by_sample = self._collect(name, run.value(index), last - first)
                block_statistics = _statistics(*by_sample)
                observed[name] = (
                    observed[name].followed_by(block_statistics)
                    if name in observed
                    else block_statistics
                )
                lows.append(np.broadcast_to(by_sample[0], last - first))
                highs.append(np.broadcast_to(by_sample[1], last - first))
            block_peaks = Peaks.of(np.stack(lows), np.stack(highs), self._order[first:last])
            self._peaks = self._peaks.merged(block_peaks)
            update(last - start, stop - start)
        return observed

    def histograms(self, *, path: str, update: Update) -> dict[str, Extent]:
        """Write the concatenated counts of all histograms to an .npy file; returns their extents.

        The histograms cover all samples observed so far, in the order of the result.
        """
        update(0, 1)
        counts = [each.counts for each in self._histograms.values()]
        save_array(Path(path), np.concatenate(counts) if counts else EMPTY.counts)
        return {name: each.extent for name, each in self._histograms.items()}

    def peaks(self, *, values: str, samples: str, update: Update) -> None:
        """Write the peaks of all samples observed so far, in the order of activations, to .npy."""
        update(0, 1)
        save_array(Path(values), self._peaks.values)
        save_array(Path(samples), self._peaks.samples)

    def _collect(
        self, name: str, values: NDArray[Any], samples: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the minimum and the maximum of each sample, or of all if values have no batch."""
        by_sample = values.reshape(samples if values.size % samples == 0 else 1, -1)
        lows, highs = by_sample.min(axis=1), by_sample.max(axis=1)
        if not (np.isfinite(lows).all() and np.isfinite(highs).all()):
            raise DatasetError(
                f"the float model computes NaN or infinity in {split_fused_name(name)[0]!r} on the"
                " representative dataset; check the scale of its inputs"
            )
        if self._wants_histograms:
            self._histograms[name] = self._histograms[name].merged(histogram(values))
        return lows, highs

    def _run(self, samples: int) -> BatchRun:
        if samples not in self._runs:
            self._runs[samples] = BatchRun(self._model, samples)
        return self._runs[samples]

    def _read(self, start: int, stop: int) -> list[NDArray[Any]]:
        return [read_chosen_rows(path, self._order[start:stop]) for path in self._inputs]

    def _can_batch(self, size: int) -> bool:
        """Whether a batch has the same activations as its samples run one by one.

        A model may have constants that fix the batch at 1.
        """
        samples = self._read(0, _COMPARED_SAMPLES)
        count = len(samples[0])
        filled = [np.resize(array, (size, *array.shape[1:])) for array in samples]
        try:
            batch = self._run(size)
            batch.invoke(filled)
        except ConversionError:
            return False
        batched = {index: batch.value(index).copy() for index in self._activations.values()}
        single = self._run(1)
        for number in range(count):
            single.invoke([array[number : number + 1] for array in samples])
            for index, whole in batched.items():
                alone = single.value(index).copy()
                has_batch = whole.size == size * alone.size
                if not _are_close(whole.reshape(size, -1)[number] if has_batch else whole, alone):
                    return False
        return True


def _statistics(lows: NDArray[Any], highs: NDArray[Any]) -> Statistics:
    return Statistics(
        min=float(lows.min()),
        max=float(highs.max()),
        lows=moving_average(lows),
        highs=moving_average(highs),
    )


def _are_close(one: NDArray[Any], other: NDArray[Any]) -> bool:
    tolerance = _TOLERANCE * float(np.abs(other).max(initial=0))
    return one.size == other.size and np.allclose(
        one.ravel(), other.ravel(), rtol=0, atol=tolerance
    )


class BatchRun:
    """An interpreter whose inputs hold ``samples`` samples."""

    def __init__(self, model: bytes, samples: int) -> None:
        try:
            self._interpreter = interpreter.Interpreter(model_content=model, num_threads=1)
            self._inputs = [each["index"] for each in self._interpreter.get_input_details()]
            if samples > 1:
                for each in self._interpreter.get_input_details():
                    shape = [samples, *each["shape"][1:]]
                    self._interpreter.resize_tensor_input(each["index"], shape)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ConversionError(f"LiteRT cannot run the float model: {reason(error)}") from error

    def invoke(self, arrays: list[NDArray[Any]]) -> None:
        """Run the model on an array for each input."""
        for index, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(index, array)
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ConversionError(
                "LiteRT cannot run the float model on the representative dataset:"
                f" {reason(error)}; check the values of its inputs"
            ) from error

    def outputs(self) -> list[NDArray[Any]]:
        """Return copies of the model's outputs."""
        details = self._interpreter.get_output_details()
        return [self._interpreter.get_tensor(each["index"]) for each in details]

    def value(self, index: int) -> NDArray[Any]:
        """Return a view of a tensor; the next :meth:`invoke` overwrites it."""
        array: NDArray[Any] = self._interpreter.tensor(index)()
        return array
