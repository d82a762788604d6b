"""Running a model on samples to observe its outputs and the inputs of certain layers.

Normalization layers store the mean and variance of their inputs in training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.load.keras_model import KerasModel
from edgepack.load.layer_settings import nested_layers
from edgepack.load.loaded_model import FloatModel
from edgepack.storage.arrays import Arrays

Values = NDArray[Any]

_EPSILON = 1e-7  # Keras's own


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How far the input of a normalization layer has shifted from that in training.

    ``divergence`` is the Kullback-Leibler divergence of the data from the training data, both
    modeled as normal distributions, in nats; 0 if they are equal. ``ratio`` is the variance of the
    data divided by that in training. Both are medians over the channels.
    """

    layer: str
    divergence: float
    ratio: float


@dataclass(frozen=True, kw_only=True)
class Rescaled:
    """The output range of a leading Rescaling layer."""

    layer: str
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Observation:
    """The result of one run over the samples; layers are in the order in which they ran."""

    shifts: tuple[Shift, ...]
    rescaled: tuple[Rescaled, ...]
    outputs: Arrays


def observe(model: FloatModel, inputs: Arrays) -> Observation:
    """Run a float model on an array of shape (samples, ...) for each input.

    The layers of a Keras model are observed, for which TensorFlow runs it eagerly. Raises
    :class:`~edgepack.core.errors.ModelError` if the model cannot be run.
    """
    arrays = list(inputs.values())
    names = [output.name for output in model.signature.outputs]
    if not isinstance(model, KerasModel):
        outputs = dict(zip(names, model.predict(arrays), strict=True))
        return Observation(shifts=(), rescaled=(), outputs=outputs)

    def run(*batch: NDArray[Any]) -> list[NDArray[Any]]:
        return [np.asarray(output) for output in model(*batch)]

    with _probed(model) as probes:
        outputs = dict(zip(names, model.run(run, arrays), strict=True))
    ranges = [(float(array.min()), float(array.max())) for array in arrays]
    return Observation(
        shifts=tuple(probe.shift() for probe in probes if isinstance(probe, _NormalizationProbe)),
        rescaled=tuple(
            Rescaled(layer=probe.layer, low=probe.output_range[0], high=probe.output_range[1])
            for probe in probes
            if isinstance(probe, _RescalingProbe) and probe.input_range in ranges
        ),
        outputs=outputs,
    )


@dataclass(eq=False)
class _NormalizationProbe:
    """Sums over the inputs of a normalization layer, by channel, and its stored statistics."""

    layer: str
    mean: Values
    variance: Values
    epsilon: float
    axes: tuple[int, ...]  # of the channels
    count: int = 0
    total: Any = 0.0
    squares: Any = 0.0

    def add(self, inputs: Values, outputs: Values) -> None:  # noqa: ARG002 (as in _RescalingProbe)
        channel_axes = {axis % inputs.ndim for axis in self.axes}
        other_axes = tuple(axis for axis in range(inputs.ndim) if axis not in channel_axes)
        total = inputs.sum(axis=other_axes, dtype=np.float64).ravel()
        self.count += inputs.size // total.size
        self.total = self.total + total
        squares = np.square(inputs).sum(axis=other_axes, dtype=np.float64)
        self.squares = self.squares + squares.ravel()

    def shift(self) -> Shift:
        """Compute ln(s / s') + (s'^2 + (m - m')^2) / (2 s^2) - 1/2 (Kullback and Leibler).

        m and s are the stored mean and standard deviation, m' and s' those of the inputs.
        """
        mean = self.total / self.count
        variance = np.maximum(self.squares / self.count - mean * mean, 0) + self.epsilon
        stored_variance = self.variance + self.epsilon
        ratio = variance / stored_variance
        squared_distance = np.square(mean - self.mean) / stored_variance
        divergence = (ratio - 1 - np.log(ratio) + squared_distance) / 2
        return Shift(
            layer=self.layer,
            divergence=float(np.median(divergence)),
            ratio=float(np.median(ratio)),
        )


@dataclass(eq=False)
class _RescalingProbe:
    """The ranges of the inputs and outputs of a Rescaling layer."""

    layer: str
    input_range: tuple[float, float] = (np.inf, -np.inf)
    output_range: tuple[float, float] = (np.inf, -np.inf)

    def add(self, inputs: Values, outputs: Values) -> None:
        self.input_range = _extended(self.input_range, inputs)
        self.output_range = _extended(self.output_range, outputs)


def _extended(bounds: tuple[float, float], values: Values) -> tuple[float, float]:
    return min(bounds[0], float(values.min())), max(bounds[1], float(values.max()))


_Probe = _NormalizationProbe | _RescalingProbe


@contextmanager
def _probed(model: KerasModel) -> Iterator[list[_Probe]]:
    """Probe the layers that reveal training data; the list fills in the order they run in."""
    probes: list[_Probe] = []
    layers = []
    for layer in nested_layers(model.model):
        probe = _make_probe(layer, model.keras)
        if probe is not None:
            layer.call = _with_probe(layer.call, probe, probes)
            layers.append(layer)
    try:
        yield probes
    finally:
        for layer in layers:
            del layer.call  # restores the method of its class


def _with_probe(
    call: Callable[..., Any], probe: _Probe, probes: list[_Probe]
) -> Callable[..., Any]:
    """Wrap a layer's ``call`` so that a probe, listed on the first run, sees its values."""
    import tensorflow as tf

    def probed_call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = call(inputs, *args, **kwargs)
        if tf.executing_eagerly():  # a loop that TensorFlow traces has no values
            if probe not in probes:
                probes.append(probe)
            probe.add(np.asarray(inputs), np.asarray(outputs))
        return outputs

    return probed_call


def _make_probe(layer: Any, keras: Any) -> _Probe | None:
    """Make the probe of a layer; None if the layer reveals nothing of training."""
    if isinstance(layer, keras.layers.Rescaling):
        return _RescalingProbe(layer.name)
    if isinstance(layer, keras.layers.BatchNormalization):
        stored, epsilon = (layer.moving_mean, layer.moving_variance), float(layer.epsilon)
    elif isinstance(layer, keras.layers.Normalization) and not layer.invert:
        stored, epsilon = (layer.mean, layer.variance), _EPSILON
    else:
        return None
    mean, variance = (np.asarray(value, np.float64).ravel() for value in stored)
    if not mean.any() and (variance == 1).all():
        return None  # the initial statistics: it was never trained
    axes = (layer.axis,) if isinstance(layer.axis, int) else tuple(layer.axis)
    return _NormalizationProbe(layer.name, mean, variance, epsilon, axes)
