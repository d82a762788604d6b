"""What a model shows when it runs on samples: its outputs, and what enters certain layers.

Normalization layers remember the mean and variance of what entered them in training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.load.keras_model import KerasModel
from edgepack.load.layer_settings import walk
from edgepack.load.loaded_model import FloatModel
from edgepack.storage.arrays import Arrays

Values = NDArray[Any]

_EPSILON = 1e-7  # Keras's own


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How far what enters a normalization layer is from what entered it in training.

    ``divergence`` is the Kullback-Leibler divergence of two normal distributions, data from
    training, in nats: the median over the channels. 0 is no difference. ``ratio`` is that of the
    variances, data to training, the median too.
    """

    layer: str
    divergence: float
    ratio: float


@dataclass(frozen=True, kw_only=True)
class Rescaled:
    """The range of what a leading Rescaling layer gives."""

    layer: str
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Observation:
    """What one run over the samples showed, layers in the order in which they ran."""

    shifts: tuple[Shift, ...]
    rescaled: tuple[Rescaled, ...]
    outputs: Arrays


def observe(model: FloatModel, inputs: Arrays) -> Observation:
    """Run a float model on an array of shape (samples, ...) for each input.

    Of a Keras model the layers are watched, for which TensorFlow runs it step by step. Raises
    :class:`~edgepack.core.errors.ModelError` if it cannot be run.
    """
    arrays = list(inputs.values())
    names = [output.name for output in model.signature.outputs]
    if not isinstance(model, KerasModel):
        outputs = dict(zip(names, model.predict(arrays), strict=True))
        return Observation(shifts=(), rescaled=(), outputs=outputs)

    def run(*batch: NDArray[Any]) -> list[NDArray[Any]]:
        return [np.asarray(output) for output in model(*batch)]

    with _watched(model) as gauges:
        outputs = dict(zip(names, model.run(run, arrays), strict=True))
    ranges = [(float(array.min()), float(array.max())) for array in arrays]
    return Observation(
        shifts=tuple(gauge.shift() for gauge in gauges if isinstance(gauge, _Moments)),
        rescaled=tuple(
            Rescaled(layer=gauge.layer, low=gauge.given[0], high=gauge.given[1])
            for gauge in gauges
            if isinstance(gauge, _Span) and gauge.taken in ranges
        ),
        outputs=outputs,
    )


@dataclass(eq=False)
class _Moments:
    """Sums over what enters a normalization layer, by channel, and what it remembers."""

    layer: str
    mean: Values
    variance: Values
    epsilon: float
    axes: tuple[int, ...]  # of the channels
    count: int = 0
    total: Any = 0.0
    squares: Any = 0.0

    def add(self, taken: Values, given: Values) -> None:  # noqa: ARG002 (as for a span)
        kept = {axis % taken.ndim for axis in self.axes}
        others = tuple(axis for axis in range(taken.ndim) if axis not in kept)
        total = taken.sum(axis=others, dtype=np.float64).ravel()
        self.count += taken.size // total.size
        self.total = self.total + total
        squares = np.square(taken).sum(axis=others, dtype=np.float64)
        self.squares = self.squares + squares.ravel()

    def shift(self) -> Shift:
        """Compute ln(s / s') + (s'^2 + (m - m')^2) / (2 s^2) - 1/2 (Kullback and Leibler)."""
        mean = self.total / self.count
        variance = np.maximum(self.squares / self.count - mean * mean, 0) + self.epsilon
        known = self.variance + self.epsilon
        ratio = variance / known
        divergence = (ratio - 1 - np.log(ratio) + np.square(mean - self.mean) / known) / 2
        return Shift(
            layer=self.layer,
            divergence=float(np.median(divergence)),
            ratio=float(np.median(ratio)),
        )


@dataclass(eq=False)
class _Span:
    """The ranges of what a Rescaling layer takes and gives."""

    layer: str
    taken: tuple[float, float] = (np.inf, -np.inf)
    given: tuple[float, float] = (np.inf, -np.inf)

    def add(self, taken: Values, given: Values) -> None:
        self.taken = _wider(self.taken, taken)
        self.given = _wider(self.given, given)


def _wider(span: tuple[float, float], values: Values) -> tuple[float, float]:
    return min(span[0], float(values.min())), max(span[1], float(values.max()))


@contextmanager
def _watched(model: KerasModel) -> Iterator[list[_Moments | _Span]]:
    """Watch the layers that tell of training; the list fills in the order in which they run."""
    seen: list[_Moments | _Span] = []
    watched = []
    for layer in walk(model.model):
        gauge = _gauge(layer, model.keras)
        if gauge is not None:
            layer.call = _watch(layer.call, gauge, seen)
            watched.append(layer)
    try:
        yield seen
    finally:
        for layer in watched:
            del layer.call  # the method of its class is back


def _watch(
    call: Callable[..., Any], gauge: _Moments | _Span, seen: list[_Moments | _Span]
) -> Callable[..., Any]:
    import tensorflow as tf

    def watched(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        made = call(inputs, *args, **kwargs)
        if tf.executing_eagerly():  # in a loop that TensorFlow traces there are no values
            if gauge not in seen:
                seen.append(gauge)
            gauge.add(np.asarray(inputs), np.asarray(made))
        return made

    return watched


def _gauge(layer: Any, keras: Any) -> _Moments | _Span | None:
    """Make what measures at a layer; None if the layer tells nothing."""
    if isinstance(layer, keras.layers.Rescaling):
        return _Span(layer.name)
    if isinstance(layer, keras.layers.BatchNormalization):
        known, epsilon = (layer.moving_mean, layer.moving_variance), float(layer.epsilon)
    elif isinstance(layer, keras.layers.Normalization) and not layer.invert:
        known, epsilon = (layer.mean, layer.variance), _EPSILON
    else:
        return None
    mean, variance = (np.asarray(value, np.float64).ravel() for value in known)
    if not mean.any() and (variance == 1).all():
        return None  # as it was built: it was never trained
    axes = (layer.axis,) if isinstance(layer.axis, int) else tuple(layer.axis)
    return _Moments(layer.name, mean, variance, epsilon, axes)
