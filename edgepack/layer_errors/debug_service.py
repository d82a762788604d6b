"""The inside of the worker process that looks into a float and a quantized model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from edgepack.layer_errors.result import AloneQuantized, Compared, Isolated
from edgepack.quantization import affine
from edgepack.runtimes import litert
from edgepack.storage.arrays import load_arrays
from edgepack.tflite.interpreter_api import TfliteInterpreter
from edgepack.tflite.parser import read_tflite

Array = NDArray[Any]
Sample = list[Array]


class DebugService:
    """Compares a float .tflite with the quantized one that was made of it, on the same samples.

    Float models run on LiteRT as apps use it, the quantized one on LiteRT's reference kernels.
    """

    def open(
        self, *, float_tflite: str, quantized_tflite: str, inputs: dict[str, str], update: Update
    ) -> None:
        """Take the files that the other methods are about.

        ``inputs`` are paths of .npy files by name, shape (samples, ...), in the order of the
        files' inputs.
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
                "the quantized model has no operator of the float model's: there is nothing to"
                " compare"
            )

    def compare(self, *, update: Update) -> Compared:
        """Compare layer by layer, in two runs over the samples: the first finds the ranges."""
        total = 2 * self._samples
        real = _load_float(expose_layers_and_twins(self._float, self._computed))
        kernels, made = _load_quantized(
            expose_tensors(self._quantized, [layer.quantized_index for layer in self._computed])
        )
        spans = [(np.inf, -np.inf) for _ in self._layers]
        for done, sample in enumerate(self._each()):
            update(done, total)
            values, _ = self._real(real, sample)
            spans = [
                (min(low, float(array.min())), max(high, float(array.max())))
                for (low, high), array in zip(spans, values, strict=True)
            ]
        self._require_finite(spans)
        tallies = [
            LayerStatistics(layer, span) for layer, span in zip(self._layers, spans, strict=True)
        ]
        for done, sample in enumerate(self._each(), start=self._samples):
            update(done, total)
            quantized = self._made(made, sample)
            for tally, *arrays in zip(tallies, *self._real(real, sample), quantized, strict=True):
                tally.add(*arrays)
        return Compared(
            layers=tuple(tally.figures(place) for place, tally in enumerate(tallies)),
            unmatched=tuple(self._unmatched),
            kernels=kernels,
        )

    def isolate(self, *, update: Update) -> Isolated:
        """Quantize one layer at a time and compare what the model gives in the end with float's.

        Of several outputs the worst counts.
        """
        total = len(self._layers)
        expected = self._run(_load_float(self._float))
        _, quantized = _load_quantized(self._quantized)
        made = [quantized.invoke(self._integers(sample)) for sample in self._each()]
        tensors = self._quantized_graph.output_tensors
        whole = [
            affine.dequantize(np.concatenate(arrays), tensor)
            for arrays, tensor in zip(zip(*made, strict=True), tensors, strict=True)
        ]
        evaluators = [Evaluator(outputs) for outputs in expected]
        alone = []
        for done, layer in enumerate(self._layers):
            update(done, total, layer.name)
            got = self._run(_load_float(quantize_single_layer(self._float, layer)))
            alone.append(_worst(_scores(evaluators, got)))
        return Isolated(whole=tuple(_scores(evaluators, whole)), alone=tuple(alone))

    def _each(self) -> Iterator[Sample]:
        for index in range(self._samples):
            yield [array[index : index + 1] for array in self._inputs]

    def _run(self, real: TfliteInterpreter) -> list[Array]:
        """Run a model with real inputs on all samples; gives its outputs, shape (samples, ...)."""
        made = [real.invoke(sample) for sample in self._each()]
        return [np.concatenate(arrays) for arrays in zip(*made, strict=True)]

    def _integers(self, sample: Sample) -> Sample:
        """Quantize a sample to the inputs of the quantized model."""
        tensors = self._quantized_graph.input_tensors
        return [
            affine.quantize(array, tensor) for array, tensor in zip(sample, tensors, strict=True)
        ]

    def _real(self, running: TfliteInterpreter, sample: Sample) -> tuple[list[Array], list[Array]]:
        """Run the float model on a sample: the tensor of each layer, and that of its twin."""
        given = dict(zip(self._graph.inputs, sample, strict=True))
        outputs = running.invoke(sample)
        real = [given[layer.index] for layer in self._layers if layer.position < 0]
        real += outputs[: len(self._computed)]
        twins = iter(outputs[len(self._computed) :])
        return real, [
            next(twins) if layer.constants else array
            for layer, array in zip(self._layers, real, strict=True)
        ]

    def _made(self, running: TfliteInterpreter, sample: Sample) -> list[Array]:
        """Run the quantized model on a sample: the tensor of each layer."""
        given = dict(zip(self._graph.inputs, sample, strict=True))
        inputs = [
            affine.quantize(given[layer.index], layer.quantized)
            for layer in self._layers
            if layer.position < 0
        ]
        return inputs + running.invoke(self._integers(sample))

    def _require_finite(self, spans: list[tuple[float, float]]) -> None:
        for layer, span in zip(self._layers, spans, strict=True):
            if not np.isfinite(span).all():
                raise ModelError(
                    f"the float model gives NaN or infinity in {layer.name} for these inputs;"
                    " check their scale"
                )


def _load_float(model: bytes) -> TfliteInterpreter:
    try:
        return litert.Interpreter(model)
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"LiteRT cannot run the float model: {reason(error)}") from error


def _load_quantized(model: bytes) -> tuple[str, TfliteInterpreter]:
    """Load a model on the kernels closest to what its operators are defined to give, and name them.

    Not every operator has reference kernels: a depthwise convolution of 4-bit weights has not.
    """
    kinds = interpreter.OpResolverType
    with suppress(RuntimeError, ValueError):
        return "reference", _load(model, kinds.BUILTIN_REF)
    try:
        return "optimized", _load(model, kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"LiteRT cannot run the quantized model: {reason(error)}") from error


def _load(model: bytes, kernels: Any) -> TfliteInterpreter:
    return TfliteInterpreter(
        interpreter.Interpreter(model_content=model, experimental_op_resolver_type=kernels)
    )


def _scores(evaluators: list[Evaluator], made: list[Array]) -> list[Score]:
    """Score real outputs (samples, ...) against float's."""
    return [each.score(outputs, None) for each, outputs in zip(evaluators, made, strict=True)]


def _worst(scores: list[Score]) -> AloneQuantized:
    """Find the lowest SQNR and the lowest agreement of all outputs."""
    return AloneQuantized(
        sqnr_db=_least(each.sqnr_db for each in scores),
        agreement=_least(each.agreement for each in scores),
    )


def _least(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)
