"""Locating the error of a quantized model by layer: statistics, causes and ranking."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from conftest import Bundle, Edgepack, python
from numpy.typing import NDArray

from edgepack.core.progress import ignore
from edgepack.evaluation.paired_outputs import sqnr_db
from edgepack.layer_errors.causes import SEE_DEBUG, LayerCase, diagnose
from edgepack.layer_errors.debug_service import DebugService
from edgepack.layer_errors.instrumented_copies import expose_tensors
from edgepack.layer_errors.layer_statistics import LayerStatistics
from edgepack.layer_errors.match_layers import (
    Layer,
    dequantized_constant,
    match_layers,
    weight_spread,
)
from edgepack.layer_errors.ranking import rank_layers
from edgepack.layer_errors.result import LayerFigures, LayerReport
from edgepack.quantization import affine
from edgepack.storage.arrays import save_arrays
from edgepack.tflite.graph import Graph, Operator, QuantParams, Tensor
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite

NAMES = ["image", "stem", "branch", "shortcut", "join", "pool", "scores", "softmax"]


@pytest.fixture(scope="module")
def debugged(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Debug a small residual network on the command line."""
    folder = tmp_path_factory.mktemp("debug") / "residual"
    done = python(
        *("-m", "edgepack", "debug", models / "residual.h5"),
        *("--representative", models / "cnn.npz", "--output", folder),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "debug.json").read_text())
    return Bundle(folder, report, done.stdout, done.stderr)


def samples(models: Path) -> NDArray[np.float32]:
    return np.load(models / "cnn.npz")["x"]


def test_it_ranks_the_layers_with_their_causes(debugged: Bundle) -> None:
    layers = debugged.report["layers"]
    in_order = sorted(layers, key=lambda layer: layer["place"])
    assert sorted(layer["name"] for layer in in_order) == sorted(NAMES)
    assert (in_order[0]["name"], in_order[-1]["name"]) == ("image", "softmax")
    shares = [layer["share"] for layer in layers]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.1
    worst = layers[0]
    assert f"1. {worst['name']}, {worst['finding']['cause']}: " in debugged.stdout
    assert debugged.report["unmatched"] == []
    assert debugged.report["kernels"] == "reference"


def test_the_folder_contains_the_models_and_a_plot(debugged: Bundle) -> None:
    manifest = json.loads((debugged.folder / "manifest.json").read_text())
    assert set(manifest["artifacts"]) == {
        *("calibration.json", "debug.json", "debug.svg", "float.tflite", "int8.tflite")
    }
    plot = (debugged.folder / "debug.svg").read_text()
    assert plot.startswith("<?xml")
    assert "<dc:date>" not in plot


@pytest.mark.parametrize("name", ["float", "int8"])
def test_tensors_are_compared_before_they_are_overwritten(
    debugged: Bundle, models: Path, name: str
) -> None:
    data = (debugged.folder / f"{name}.tflite").read_bytes()
    graph = read_tflite(data).main
    tensors = [index for operator in graph.operators for index in operator.outputs]
    (image,) = graph.input_tensors
    inputs = affine.quantize(samples(models)[:3], image)
    kernels = OpResolverType.BUILTIN_REF
    exposed = outputs(expose_tensors(data, tensors), inputs, kernels)
    for index, values in zip(tensors, exposed, strict=True):
        np.testing.assert_array_equal(values, *outputs(cut(data, index), inputs, kernels))
    if name == "float":  # as debug runs it
        for index, values in zip(
            tensors, outputs(expose_tensors(data, tensors), inputs), strict=True
        ):
            np.testing.assert_array_equal(values, *outputs(cut(data, index), inputs))
    # In the unchanged model, the memory of some tensors is reused by later operators.
    interpreter = load(data, kernels)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], inputs[-1:])
    interpreter.invoke()
    naive = [interpreter.get_tensor(index) for index in tensors]
    assert any(
        not np.array_equal(overwritten, values[-1:])
        for overwritten, values in zip(naive, exposed, strict=True)
    )


def cut(data: bytes, index: int) -> bytes:
    """Truncate a model after the operator that writes a tensor, and make that its only output."""
    rewrite = Rewrite(data)
    operators = rewrite.graph.operators
    last = next(i for i, operator in enumerate(operators) if index in operator.outputs)
    del operators[last + 1 :]
    rewrite.graph.outputs = [index]
    rewrite.model.signatureDefs = []
    return rewrite.to_bytes()


def load(model: bytes, kernels: Any = OpResolverType.AUTO) -> Any:
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    return interpreter


def outputs(
    model: bytes, inputs: NDArray[Any], kernels: Any = OpResolverType.AUTO
) -> list[NDArray[Any]]:
    interpreter = load(model, kernels)
    runs = []
    for sample in inputs:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample[None])
        interpreter.invoke()
        runs.append(
            [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]
        )
    return [np.concatenate(arrays) for arrays in zip(*runs, strict=True)]


@pytest.mark.parametrize(
    ("damage", "cause"),
    [("widen", "range too wide"), ("narrow", "range too narrow"), ("coarsen", "other weights")],
)
def test_a_damaged_layer_is_ranked_worst(
    debugged: Bundle, models: Path, tmp_path: Path, damage: str, cause: str
) -> None:
    damaged = Rewrite((debugged.folder / "int8.tflite").read_bytes())
    graph = read_tflite(damaged.to_bytes()).main
    (index,) = (i for i, name in layer_names(graph).items() if name == "branch")
    if damage == "coarsen":
        (operator,) = (each for each in graph.operators if index in each.outputs)
        weights = damaged.model.buffers[graph.tensors[operator.inputs[1]].buffer]
        values = weights.data.view(np.int8).astype(int)
        weights.data = (np.clip(values, -96, 96) // 64 * 64).astype(np.int8).view(np.uint8)
    else:
        quantization = damaged.graph.tensors[index].quantization
        quantization.scale = quantization.scale * np.float32(20 if damage == "widen" else 0.05)
    worst = debug(debugged.folder / "float.tflite", damaged.to_bytes(), models, tmp_path)[0]
    assert (worst.figures.name, worst.finding.cause) == ("branch", cause)
    assert (worst.figures.saturation > 0.1) == (damage == "narrow")


def debug(source: Path, quantized: bytes, models: Path, tmp_path: Path) -> tuple[LayerReport, ...]:
    (tmp_path / "damaged.tflite").write_bytes(quantized)
    service = DebugService()
    service.open(
        float_tflite=str(source),
        quantized_tflite=str(tmp_path / "damaged.tflite"),
        inputs=save_arrays(tmp_path / "x", {"x": samples(models)}),
        update=ignore,
    )
    compared, isolated = service.compare(update=ignore), service.isolate(update=ignore)
    return rank_layers(
        compared.layers,
        isolated.alone,
        isolated.whole[0].sqnr_db,
        origins={},
    )


def test_statistics_equal_their_definitions() -> None:
    quant = QuantParams(scale=(0.5,), zero_point=(0,))  # -64 to 63.5
    tensor = Tensor(name="t", shape=(1, 500), dtype="int8", quant=quant, data=b"")
    random = np.random.default_rng(0)
    real = random.normal(0, 30, (4, 500)).astype(np.float32)
    twin = real + np.float32(0.2)
    quantized = affine.quantize(real + random.normal(0, 2, real.shape), tensor)
    statistics = LayerStatistics(layer(tensor), (float(real.min()), float(real.max())))
    for sample in zip(real, twin, quantized, strict=True):
        statistics.add(*sample)
    figures = statistics.figures(0)
    wide = real.astype(np.float64)
    clipped = np.clip(wide, -64, 63.5)
    signal = np.square(wide).sum()
    dequantized = affine.dequantize(quantized, tensor)
    assert figures.cosine == pytest.approx(
        np.corrcoef(wide.ravel(), dequantized.ravel())[0, 1], abs=1e-3
    )
    assert figures.saturation == pytest.approx((np.abs(wide - clipped) > 0.25).mean())
    assert figures.quantized_range == (-64, 63.5)
    assert sum(figures.histogram) == real.size
    for noise, error in {
        "total": dequantized - wide,
        "constants": twin - wide,
        "clipping": (wide - clipped)[np.abs(wide - clipped) > 0.25],
    }.items():
        expected = 10 * math.log10(signal / np.square(error.astype(np.float64)).sum())
        assert figures.sqnr_db[noise] == pytest.approx(expected, abs=0.01), noise
    # Rounding to steps of 0.5 has a noise power of 0.5^2 / 12.
    expected = 10 * math.log10(signal / real.size * 12 / 0.25)
    assert figures.sqnr_db["rounding"] == pytest.approx(expected, abs=0.5)
    low, high = np.quantile(wide, [0.0005, 0.9995])
    assert figures.bulk_range == pytest.approx((low, high), abs=5)


def test_the_best_range_gains_as_much_as_estimated() -> None:
    random = np.random.default_rng(0)
    real = np.append(random.normal(0, 1, 400_000), 12).astype(np.float32)
    quant = QuantParams(scale=(12 / 127,), zero_point=(0,))
    tensor = Tensor(name="t", shape=real.shape, dtype="int8", quant=quant, data=b"")
    statistics = LayerStatistics(layer(tensor), (float(real.min()), float(real.max())))
    statistics.add(real, real, affine.quantize(real, tensor))
    figures = statistics.figures(0)
    assert figures.best_range is not None
    assert figures.sqnr_db["total"] is not None
    narrower = replace(tensor, quant=replace(quant, scale=(figures.best_range[1] / 127,)))
    requantized = affine.dequantize(affine.quantize(real, narrower), narrower)
    gain = sqnr_db(real, requantized) - figures.sqnr_db["total"]
    assert gain > 3
    assert figures.gain_db == pytest.approx(gain, abs=0.2)


def layer(quantized: Tensor, **fields: Any) -> Layer:
    return Layer(
        **{
            "name": "a",
            "operator": "CONV_2D",
            "position": 0,
            "index": 0,
            "quantized_index": 0,
            "quantized": quantized,
            "constants": {},
            "sources": (),
            **fields,
        }
    )


BASE = LayerFigures(
    name="b",
    place=1,
    operator="CONV_2D",
    tensor="m/b/Conv2D",
    dtype="int8",
    sources=("a",),
    sqnr_db={"total": 30, "own": 30, "constants": 50, "clipping": None, "rounding": 30},
    cosine=1.0,
    saturation=0.0,
    float_range=(0, 60),
    bulk_range=(0, 50),
    quantized_range=(0, 64),
    best_range=(0, 64),
    gain_db=0.0,
    scale=0.25,
    zero_point=-128,
    weight_dtype="int8",
    weight_spread=None,
    histogram=(),
)


@pytest.mark.parametrize(
    ("changes", "cause", "cure"),
    [
        ({}, "coarse steps", SEE_DEBUG),
        ({"float_range": (0, 0)}, "zeros", "check the samples"),
        ({"float_range": (0, 5), "bulk_range": (0, 5)}, "range too wide", "samples like these"),
        ({"best_range": (0, 9), "gain_db": 4.0}, "outliers", SEE_DEBUG),
        ({"bulk_range": (0, 5), "operator": "AVERAGE_POOL_2D"}, "range of another", SEE_DEBUG),
        ({"operator": "SOFTMAX"}, "fixed range", SEE_DEBUG),
        ({"sqnr_db": BASE.sqnr_db | {"clipping": 10}}, "range too narrow", "cover this range"),
        ({"sqnr_db": BASE.sqnr_db | {"constants": 10}}, "weights", SEE_DEBUG),
        (
            {"sqnr_db": BASE.sqnr_db | {"constants": 10}, "weight_dtype": "int4"},
            *("weights", SEE_DEBUG),
        ),
        ({"sqnr_db": BASE.sqnr_db | {"constants": 9}}, "other weights", "it was made from"),
        (
            {"sqnr_db": BASE.sqnr_db | {"constants": 9}, "weight_spread": 100.0},
            *("one scale for all weights", SEE_DEBUG),
        ),
    ],
)
def test_the_statistics_determine_the_cause(changes: dict[str, Any], cause: str, cure: str) -> None:
    first = replace(BASE, name="a", tensor="m/a/Conv2D", sources=())
    following = replace(BASE, name="c", tensor="m/c/Conv2D", sources=("b",))
    figures = replace(BASE, **changes)
    finding = diagnose(
        LayerCase(figures=figures, share=0.5, layers={"a": first, "b": figures, "c": following})
    )
    assert finding.cause == cause
    assert cure in finding.cure


def test_an_inherited_error_is_traced_to_its_origin() -> None:
    bad = replace(BASE, name="a", sources=(), sqnr_db=BASE.sqnr_db | {"total": 9, "own": 9})
    between = replace(BASE, name="b", sources=("a",), sqnr_db=BASE.sqnr_db | {"total": 10})
    last = replace(BASE, name="c", sources=("b",), sqnr_db=BASE.sqnr_db | {"total": 10})
    layers = {each.name: each for each in (bad, between, last)}
    finding = diagnose(LayerCase(figures=last, share=0.001, layers=layers))
    assert finding.cause == "inherited"
    assert "originates in a" in finding.why
    assert diagnose(LayerCase(figures=bad, share=0.001, layers=layers)).cause == "little"
    alone = replace(last, sources=("not compared",))
    finding = diagnose(LayerCase(figures=alone, share=0.001, layers=layers))
    assert finding.why.endswith("it comes from layers that were not compared")
    exact = replace(alone, sqnr_db=dict.fromkeys(BASE.sqnr_db))
    assert diagnose(LayerCase(figures=exact, share=0.0, layers=layers)).cause == "little"


def test_layers_without_a_counterpart_are_listed(debugged: Bundle) -> None:
    source, quantized = (
        read_tflite((debugged.folder / f"{name}.tflite").read_bytes()).main
        for name in ("float", "int8")
    )
    layers, unmatched = match_layers(source, quantized)
    assert [sorted(each.name for each in layers), unmatched] == [sorted(NAMES), []]
    fewer = replace(quantized, operators=quantized.operators[:-2])
    layers, unmatched = match_layers(source, fewer)
    assert unmatched == ["scores", "softmax"]
    assert len(layers) == len(NAMES) - 2
    # Conversions between number formats, which quantizers add, are not layers.
    (index,) = quantized.inputs
    converted = Operator(name="QUANTIZE", version=1, inputs=(index,), outputs=(index,))
    layers, unmatched = match_layers(
        source, replace(quantized, operators=(converted, *quantized.operators))
    )
    assert (len(layers), unmatched) == (len(NAMES), [])


def test_constants_of_every_type_are_read() -> None:
    per_channel = QuantParams(scale=(0.5, 2.0), zero_point=(0, 0), axis=0)
    stored = {"int4": bytes([0xF1, 0x07]), "int8": bytes([1, 255, 7, 0])}
    for dtype, data in stored.items():
        tensor = Tensor(name="w", shape=(2, 2), dtype=dtype, quant=per_channel, data=data)
        np.testing.assert_array_equal(dequantized_constant(tensor), [[0.5, -0.5], [14, 0]])
    half = np.array([0.1], np.float16)
    tensor = Tensor(name="w", shape=(1,), dtype="float16", quant=None, data=half.tobytes())
    assert dequantized_constant(tensor) == half
    one = QuantParams(scale=(0.5,), zero_point=(0,))
    tensor = Tensor(name="w", shape=(2, 2), dtype="int8", quant=one, data=bytes([1, 2, 100, 9]))
    assert weight_spread(layer(tensor, constants={1: tensor})) == 50


def test_layers_have_the_names_of_the_keras_layers() -> None:
    fused = "model/activation/Relu;model/bn/FusedBatchNormV3;model/{0}/BiasAdd;model/{0}/Conv2D1"
    tensors = {
        "input": "CONV_2D",
        fused.format("conv2d"): "CONV_2D",
        "model/activation_2/Relu;model/add/add": "ADD",
        "model/block_1/expand/depthwise;model/block_1/expand/BiasAdd": "DEPTHWISE_CONV_2D",
        "model/block_1/squeeze/depthwise;model/conv2d_4/Conv2D;model/bias1": "DEPTHWISE_CONV_2D",
        "model/lstm/cell/split": "SPLIT",
        "model/lstm/cell/Tanh": "TANH",
        "Identity": "SOFTMAX",
    }
    graph = Graph(
        tensors=tuple(
            Tensor(name=name, shape=(1,), dtype="float32", quant=None, data=b"") for name in tensors
        ),
        operators=tuple(
            Operator(name=operator, version=1, inputs=(i,), outputs=(i + 1,))
            for i, operator in enumerate(list(tensors.values())[1:])
        ),
        inputs=(0,),
        outputs=(7,),
    )
    assert list(layer_names(graph).values()) == [
        *("input", "conv2d", "add", "block_1/expand", "block_1/squeeze"),
        *("lstm/cell/split", "lstm/cell/Tanh", "softmax"),
    ]


def test_a_model_that_outputs_nan_is_refused_in_a_few_lines(
    edgepack: Edgepack, models: Path
) -> None:
    done = edgepack("debug", models / "nan.h5", "--representative", models / "vector.npz")
    assert done.returncode in (1, 2)
    assert len(done.stderr.strip().splitlines()) <= 4
