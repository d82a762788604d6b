"""The service in the worker process that compares a float and a quantized model by layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import interpreter
from numpy.typing import NDArray

from edgepack.core.errors import ConversionError, ModelError, reason
from edgepack.core.progress import Update
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.scores import Score
from edgepack.layer_errors.instrumented_copies import (
    expose_layers_and_twins,
    expose_tensors,
    quantize_single_layer,
)
from edgepack.layer_errors.layer_statistics import LayerStatistics
from edgepack.layer_errors.match_layers import match_layers
from edgepack.layer_errors.result import IsolatedLayers, LayerComparison, WorstScore
from edgepack.quantization import affine
from edgepack.runtimes import litert
from edgepack.storage.arrays import load_arrays
from edgepack.tflite.interpreter_api import TfliteInterpreter
from edgepack.tflite.output_parts import output_layouts
from edgepack.tflite.parser import read_tflite

Array = NDArray[Any]
Sample = list[Array]


class DebugService:
    """Compares a float .tflite file with the quantized one made from it, on the same samples.

    Float models run on LiteRT with its default kernels, as in apps. The quantized model runs on
    LiteRT's reference kernels, if these support its operators.
    """

    def open(
        self, *, float_tflite: str, quantized_tflite: str, inputs: dict[str, str], update: Update
    ) -> None:
        """Load the two files and match their layers, for use by the other methods.

        ``inputs`` are paths of .npy files by name, each of shape (samples, ...), in the order of
        the models' inputs. Raises :class:`ConversionError` if no operator of the two files matches.
        """
        update(0, 1)
        self._float = Path(float_tflite).read_bytes()
        self._quantized = Path(quantized_tflite).read_bytes()
        self._inputs = list(load_arrays(inputs).values())
        self._samples = len(self._inputs[0])
        self._graph = read_tflite(self._float).main
        self._quantized_graph = read_tflite(self._quantized).main
        self._layers, self._unmatched = match_layers(self._graph, self._quantized_graph)
        self._computed = [layer for layer in self._layers if layer.position >= 0]
        if not self._computed:
            raise ConversionError(
                "no operator of the quantized model matches one of the float model: there is"
                " nothing to compare"
            )

    def compare(self, *, update: Update) -> LayerComparison:
        """Compare layer by layer, in two passes over the samples: the first finds the ranges.

        Raises :class:`ModelError` if a value of the float model is not finite.
        """
        total = 2 * self._samples
        float_model = _load_float(expose_layers_and_twins(self._float, self._computed))
        kernels, quantized_model = _load_quantized(
            expose_tensors(self._quantized, [layer.quantized_index for layer in self._computed])
        )
        ranges = [(np.inf, -np.inf) for _ in self._layers]
        for done, sample in enumerate(self._samples_of_one()):
            update(done, total)
            values, _ = self._float_values(float_model, sample)
            ranges = [
                (min(low, float(array.min())), max(high, float(array.max())))
                for (low, high), array in zip(ranges, values, strict=True)
            ]
        self._require_finite(ranges)
        statistics = [
            LayerStatistics(layer, float_range)
            for layer, float_range in zip(self._layers, ranges, strict=True)
        ]
        for done, sample in enumerate(self._samples_of_one(), start=self._samples):
            update(done, total)
            values, twins = self._float_values(float_model, sample)
            quantized = self._quantized_values(quantized_model, sample)
            for each, *arrays in zip(statistics, values, twins, quantized, strict=True):
                each.add(*arrays)
        return LayerComparison(
            layers=tuple(each.figures(place) for place, each in enumerate(statistics)),
            unmatched=tuple(self._unmatched),
            kernels=kernels,
        )

    def isolate(self, *, update: Update) -> IsolatedLayers:
        """Quantize one layer at a time, and compare the model's outputs with the float model's.

        With several outputs, the worst counts.
        """
        total = len(self._layers)
        expected = self._run(_load_float(self._float))
        _, quantized = _load_quantized(self._quantized)
        runs = [quantized.invoke(self._integers(sample)) for sample in self._samples_of_one()]
        tensors = self._quantized_graph.output_tensors
        whole = [
            affine.dequantize(np.concatenate(arrays), tensor)
            for arrays, tensor in zip(zip(*runs, strict=True), tensors, strict=True)
        ]
        evaluators = [Evaluator(outputs) for outputs in expected]
        alone = []
        for done, layer in enumerate(self._layers):
            update(done, total, layer.name)
            outputs = self._run(_load_float(quantize_single_layer(self._float, layer)))
            alone.append(WorstScore.of(_scores(evaluators, outputs)))
        layouts = output_layouts(self._quantized_graph)
        return IsolatedLayers(
            whole=tuple(_scores(evaluators, whole)),
            alone=tuple(alone),
            channels=tuple(
                evaluator.channels(outputs, None, layout)
                for evaluator, outputs, layout in zip(evaluators, whole, layouts, strict=True)
            ),
        )

    def _samples_of_one(self) -> Iterator[Sample]:
        """Yield the inputs of one sample at a time, with a batch of 1."""
        for index in range(self._samples):
            yield [array[index : index + 1] for array in self._inputs]

    def _run(self, float_model: TfliteInterpreter) -> list[Array]:
        """Run a model with float inputs on all samples; returns its outputs (samples, ...)."""
        runs = [float_model.invoke(sample) for sample in self._samples_of_one()]
        return [np.concatenate(arrays) for arrays in zip(*runs, strict=True)]

    def _integers(self, sample: Sample) -> Sample:
        """Quantize a sample for the inputs of the quantized model."""
        tensors = self._quantized_graph.input_tensors
        return [
            affine.quantize(array, tensor) for array, tensor in zip(sample, tensors, strict=True)
        ]

    def _float_values(
        self, float_model: TfliteInterpreter, sample: Sample
    ) -> tuple[list[Array], list[Array]]:
        """Run the float model on a sample; returns each layer's tensor, and each twin's."""
        inputs = dict(zip(self._graph.inputs, sample, strict=True))
        outputs = float_model.invoke(sample)
        values = [inputs[layer.index] for layer in self._layers if layer.position < 0]
        values += outputs[: len(self._computed)]
        twins = iter(outputs[len(self._computed) :])
        return values, [
            next(twins) if layer.constants else array
            for layer, array in zip(self._layers, values, strict=True)
        ]

    def _quantized_values(self, quantized_model: TfliteInterpreter, sample: Sample) -> list[Array]:
        """Run the quantized model on a sample; returns each layer's tensor."""
        inputs = dict(zip(self._graph.inputs, sample, strict=True))
        quantized_inputs = [
            affine.quantize(inputs[layer.index], layer.quantized)
            for layer in self._layers
            if layer.position < 0
        ]
        return quantized_inputs + quantized_model.invoke(self._integers(sample))

    def _require_finite(self, ranges: list[tuple[float, float]]) -> None:
        for layer, float_range in zip(self._layers, ranges, strict=True):
            if not np.isfinite(float_range).all():
                raise ModelError(
                    f"the float model outputs NaN or infinity in {layer.name} for these inputs;"
                    " check their scale"
                )


def _load_float(model: bytes) -> TfliteInterpreter:
    try:
        return litert.Interpreter(model)
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"LiteRT cannot run the float model: {reason(error)}") from error


def _load_quantized(model: bytes) -> tuple[str, TfliteInterpreter]:
    """Load a model on LiteRT's reference kernels, or else its optimized ones; also returns which.

    Not every operator has reference kernels: a depthwise convolution of 4-bit weights has none.
    """
    resolvers = interpreter.OpResolverType
    with suppress(RuntimeError, ValueError):
        return "reference", _load(model, resolvers.BUILTIN_REF)
    try:
        return "optimized", _load(model, resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"LiteRT cannot run the quantized model: {reason(error)}") from error


def _load(model: bytes, resolver: Any) -> TfliteInterpreter:
    return TfliteInterpreter(
        interpreter.Interpreter(model_content=model, experimental_op_resolver_type=resolver)
    )


def _scores(evaluators: list[Evaluator], outputs: list[Array]) -> list[Score]:
    """Score real-valued outputs (samples, ...) against the float model's."""
    return [each.score(values, None) for each, values in zip(evaluators, outputs, strict=True)]
