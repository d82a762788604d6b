"""Holds a float .tflite against the model that it was converted from, on samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from edgepack.conversion.first_difference import find_first_difference
from edgepack.core.errors import ConversionError, reason
from edgepack.load.keras_model import KerasModel
from edgepack.load.loaded_model import FloatModel
from edgepack.load.output_difference import relative_difference
from edgepack.storage.arrays import spread
from edgepack.tflite.graph import Model
from edgepack.tflite.interpreter_api import TfliteInterpreter
from edgepack.tflite.macs import macs, model_macs
from edgepack.tflite.operator_calls import OperatorCall
from edgepack.tflite.parser import read_tflite

Batch = list[NDArray[Any]]
"""An array of shape (samples, ...) for each input or output."""

_ROUNDING = 3e-5
"""Largest difference of a float output, as a fraction of the largest, for each operator that sums
products: rounding adds up from layer to layer. Three times what was measured at most, 0.9e-5 for a
single sample of a ResNet50 of random weights; below 0.6e-5 for the others of scripts/zoo.py.
"""

_MAX_FLIPPED = 1e-3
"""Largest part of the values of an output of integers, such as classes, that may differ: rounding
decides between scores that are nearly equal.
"""

_VARYING = "the float model outputs something else each time it runs on the same samples"
_ROUNDED = "rounding decides its values, which differ between LiteRT's two sets of kernels"

_MAX_SAMPLES = 64
_MAX_MACS = 1 << 30  # some 0.2 s
_MAX_BYTES = 256 << 20  # of all tensors, which bounds the time of operators without MACs, too


def require_same_outputs(
    model: FloatModel, tflite: bytes, samples: Sequence[NDArray[Any]]
) -> dict[str, str]:
    """Run a model and its float .tflite on some of the samples, and compare the outputs.

    At most 64 samples, evenly spaced; fewer of a large model, but at least one. Returns why an
    output that differs could not be compared, by its name: the model's own differs each time, or
    it depends on how the kernels round, such as probabilities computed from scores of a million.

    Raises :class:`ConversionError`, naming the first layer that differs, if an output does, if it
    depends on the batch, or if LiteRT cannot run the file. Outputs that are not finite are not
    compared.
    """
    parsed = read_tflite(tflite)
    tolerance = _tolerance(parsed)
    inputs = spread(samples, _sample_count(parsed))
    expected = model.predict(inputs)
    if not all(np.isfinite(outputs).all() for outputs in expected):
        return {}  # the calibration refuses these samples, and names the layer
    actual = _run(model, tflite, inputs)
    differing = _differing(expected, actual, tolerance)
    if not differing:
        return {}
    not_compared = dict.fromkeys(_rounded(model, tflite, inputs, actual, tolerance), _ROUNDED)
    not_compared |= dict.fromkeys(_differing(expected, model.predict(inputs), tolerance), _VARYING)
    names = [output.name for output in model.signature.outputs]
    if unexplained := [index for index in differing if index not in not_compared]:
        index = unexplained[0]
        found, row = _describe(expected[index], actual[index], tolerance)
        sample = [array[row : row + 1] for array in inputs]
        alone = model.predict(sample)
        if index not in _differing(alone, [each[row : row + 1] for each in actual], tolerance):
            raise ConversionError(
                f"{model.path}: the output {names[index]!r} of a sample depends on which samples"
                " are computed with it, and devices compute one by one: build the model with"
                " batch_size=1, or of layers that do not compute across samples"
            )
        raise ConversionError(
            f"{model.path}: the conversion to .tflite changes the model: the output"
            f" {names[index]!r} {found}; {_first_layer(model, tflite, sample, tolerance)}; replace"
            " what differs, or convert the model yourself and give edgepack the float .tflite"
        )
    return {names[index]: not_compared[index] for index in differing}


def _rounded(
    model: FloatModel, tflite: bytes, inputs: Batch, actual: Batch, tolerance: float
) -> list[int]:
    """Return the indices of the outputs that XNNPACK computes unlike LiteRT's own kernels."""
    try:
        return _differing(actual, _run(model, tflite, inputs, OpResolverType.AUTO), tolerance)
    except ConversionError:  # XNNPACK cannot run it, and so shows nothing
        return []


def _tolerance(model: Model) -> float:
    calls = [OperatorCall.of(graph, each) for graph in model.subgraphs for each in graph.operators]
    return _ROUNDING * max(1, sum(bool(macs(call)) for call in calls))


def _sample_count(model: Model) -> int:
    size = sum(tensor.value_bytes for tensor in model.main.tensors if not tensor.is_constant)
    affordable = min(_MAX_MACS // max(1, model_macs(model)), _MAX_BYTES // max(1, size))
    return min(max(1, affordable), _MAX_SAMPLES)


def _run(
    model: FloatModel,
    tflite: bytes,
    inputs: Batch,
    kernels: OpResolverType = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
) -> Batch:
    """Run a .tflite file sample by sample, with LiteRT's own kernels; returns its outputs."""
    try:
        interpreter = TfliteInterpreter(
            Interpreter(model_content=tflite, experimental_op_resolver_type=kernels)
        )
        runs = [
            interpreter.invoke([array[row : row + 1] for array in inputs])
            for row in range(len(inputs[0]))
        ]
        return [np.stack([_one(array) for array in arrays]) for arrays in zip(*runs, strict=True)]
    except (RuntimeError, ValueError) as error:
        raise ConversionError(
            f"{model.path}: LiteRT cannot run the converted model: {reason(error)}; upgrade"
            " ai-edge-litert, which may be older than TensorFlow"
        ) from error


def _one(output: NDArray[Any]) -> NDArray[Any]:
    """Return the output of a sample without its batch axis, which TensorFlow may have removed."""
    return output[0] if output.shape[:1] == (1,) else output


def _differing(expected: Batch, actual: Batch, tolerance: float) -> list[int]:
    """Return the indices of the outputs that differ by more than rounding explains."""
    pairs = zip(expected, actual, strict=True)
    return [index for index, pair in enumerate(pairs) if not _is_same(*pair, tolerance)]


def _is_same(expected: NDArray[Any], actual: NDArray[Any], tolerance: float) -> bool:
    if expected.shape != actual.shape:
        return False
    if expected.dtype.kind != "f":
        return bool(np.mean(expected != actual) <= _MAX_FLIPPED)
    return relative_difference(expected, actual) <= tolerance  # False for NaN


def _describe(expected: NDArray[Any], actual: NDArray[Any], tolerance: float) -> tuple[str, int]:
    """Say how an output (samples, ...) differs; also returns the sample that differs most."""
    samples = len(expected)
    if expected.shape != actual.shape:
        return f"has the shape {actual.shape[1:]} rather than {expected.shape[1:]}", 0
    if expected.dtype.kind != "f":
        flipped = (expected != actual).reshape(samples, -1).mean(axis=1)
        how, worst = f"in {flipped.mean():.1%} of its values", int(flipped.argmax())
        allowed = f"{_MAX_FLIPPED:.1%}"
    else:
        error = np.abs(expected - actual).reshape(samples, -1).max(axis=1)
        worst = int(np.argmax(np.nan_to_num(error, nan=np.inf)))
        how = f"by {relative_difference(expected, actual):.1e} of its largest value"
        allowed = f"the {tolerance:.0e} that rounding explains"
    return f"differs {how} for {samples} samples, more than {allowed}", worst


def _first_layer(model: FloatModel, tflite: bytes, sample: Batch, tolerance: float) -> str:
    """Say which layer is the first whose output differs, and by how much."""
    if not isinstance(model, KerasModel):
        return "its operators are not layers of Keras, so which one differs first is not known"
    found = find_first_difference(model, tflite, sample, tolerance)
    if found is None:
        return "no layer could be found that differs: what differs comes after the last one"
    return str(found)
