"""Every scheme on every interpreter: support, bit-exactness, and accuracy relative to float."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import interpreter as litert
from conftest import AVAILABLE, INTERPRETERS, needs_tflite_runtime
from quantizations import QUANTIZATIONS

from edgepack.config.quantization import Quantization
from edgepack.core.errors import ConversionError, ModelError, TargetError
from edgepack.core.progress import ignore
from edgepack.devices.scheme_support import require_supported, supporting_targets, why_unsupported
from edgepack.devices.target import load_target, target_names
from edgepack.evaluation.deviation import tolerated_lsb
from edgepack.evaluation.paired_outputs import sqnr_db
from edgepack.quantization.affine import dequantize, quantize
from edgepack.quantization.int4 import best_scales
from edgepack.quantization.int16 import to_int16
from edgepack.quantization.layer_patterns import assign_patterns
from edgepack.quantization.verify import require_full_integer, require_quantized_weights
from edgepack.runtimes import REFERENCE
from edgepack.runtimes.processes import interpreters
from edgepack.runtimes.run_result import Run
from edgepack.tflite.graph import Model
from edgepack.tflite.interpreter_api import TfliteInterpreter
from edgepack.tflite.nibbles import unpack
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite

Runs = Callable[[str], dict[str, Run]]
MIN_DISTINCT = 20  # outputs; with fewer, their equality would mean little
INTEGERS = [name for name, settings in QUANTIZATIONS.items() if settings.needs_ranges]


@pytest.fixture(scope="module")
def runs(quantized: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Run one of the files on all interpreters, on the images that it was calibrated with."""
    images = np.load(quantized / "images.npy")
    by_name: dict[str, dict[str, Run]] = {}
    with interpreters(AVAILABLE) as running:

        def run(name: str) -> dict[str, Run]:
            if name not in by_name:
                (tensor,) = model(quantized, name).main.input_tensors
                by_name[name] = running.run(
                    model=quantized / f"{name}.tflite",
                    inputs={"image": quantize(images, tensor)},
                    outputs=["scores"],
                    work=tmp_path_factory.mktemp("runs"),
                    update=ignore,
                )
            return by_name[name]

        yield run


def model(folder: Path, name: str) -> Model:
    return read_tflite((folder / f"{name}.tflite").read_bytes())


def scores(run: Run) -> np.ndarray:
    assert run.outputs is not None, run.failure
    return run.outputs["scores"]


def decibels(runs: Runs, folder: Path, name: str, runtime: str = "litert") -> float:
    """Compute the SQNR of a file's outputs against the float model's."""
    (tensor,) = model(folder, name).main.output_tensors
    outputs = dequantize(scores(runs(name)[runtime]), tensor)
    return sqnr_db(scores(runs("float")["litert"]), outputs) or np.inf


@pytest.mark.parametrize("name", sorted(QUANTIZATIONS.keys() - {"int16-then-int8"}))
def test_the_interpreters_run_the_schemes_in_the_table(runs: Runs, name: str) -> None:
    for runtime, run in runs(name).items():
        assert (why_unsupported(QUANTIZATIONS[name], runtime) is None) == (run.failure is None), (
            runtime,
            run.failure,
        )


@needs_tflite_runtime
@pytest.mark.parametrize(
    "name", ["int8", "uint8-to-float", "int16", "int16-float-ends", "int8-per-tensor"]
)
def test_tflm_equals_the_reference_kernels(quantized: Path, runs: Runs, name: str) -> None:
    reference, tflm = (scores(runs(name)[runtime]) for runtime in (REFERENCE.name, "tflm"))
    assert len(np.unique(reference, axis=0)) > MIN_DISTINCT
    if tolerated_lsb(model(quantized, name)):  # SOFTMAX may differ by 1 in a few outputs
        np.testing.assert_allclose(tflm, reference, rtol=0, atol=1)
        assert (tflm != reference).mean() < 0.02
    else:
        np.testing.assert_array_equal(tflm, reference)


@needs_tflite_runtime
def test_int16_layers_before_int8_layers_are_bit_exact(quantized: Path, runs: Runs) -> None:
    """The reference kernels run it, as no int8 tensor becomes int16; the table cannot know that."""
    int16_then_int8 = runs("int16-then-int8")
    np.testing.assert_array_equal(
        scores(int16_then_int8["tflm"]), scores(int16_then_int8[REFERENCE.name])
    )
    graph = model(quantized, "int16-then-int8").main
    assert [graph.input_tensors[0].dtype, graph.output_tensors[0].dtype] == ["int16", "int8"]
    assert [op.name for op in graph.operators].count("QUANTIZE") == 1


def test_int8_layers_before_int16_layers_match_the_reference_kernels(
    quantized: Path, runs: Runs
) -> None:
    """Compared with LiteRT's reference kernels, whose convolutions round as TFLM's do."""
    rewrite = Rewrite((quantized / "int8-and-int16.tflite").read_bytes())
    operators = rewrite.graph.operators
    kinds = [rewrite.name(operator) for operator in operators]
    assert kinds[:2] == ["CONV_2D", "QUANTIZE"]
    assert kinds.count("QUANTIZE") == 3  # one for each tensor that is converted
    images = np.load(quantized / "images.npy")
    reference = TfliteInterpreter(
        litert.Interpreter(
            model_content=(quantized / "int8-and-int16.tflite").read_bytes(),
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        )
    )
    tensor = model(quantized, "int8-and-int16").main.input_tensors[0]
    outputs = np.concatenate(
        [reference.invoke([quantize(image[None], tensor)])[0] for image in images]
    )
    tflm = scores(runs("int8-and-int16")["tflm"])
    assert np.abs(outputs.astype(int) - tflm).max() <= 1
    assert len(np.unique(tflm, axis=0)) > MIN_DISTINCT


def test_int16_is_closer_to_float_than_int8_and_as_close_as_the_converters(
    quantized: Path, runs: Runs
) -> None:
    int16 = decibels(runs, quantized, "int16")
    assert int16 > decibels(runs, quantized, "int8") + 3
    assert int16 > decibels(runs, quantized, "plain-int16") - 1
    assert decibels(runs, quantized, "int8-and-int16") > decibels(runs, quantized, "int8") - 1
    for tensor in model(quantized, "int16").main.tensors:
        if tensor.dtype == "int16":
            assert tensor.quant
            assert tensor.quant.zero_point == (0,)


@pytest.mark.parametrize(
    "runtime", [pytest.param("tflite-runtime", marks=needs_tflite_runtime), "tflm"]
)
def test_int4_weights_have_the_same_outputs_as_equal_int8_weights(runs: Runs, runtime: str) -> None:
    packed, in_bytes = (scores(runs(name)[runtime]) for name in ("int4", "int4-in-bytes"))
    np.testing.assert_array_equal(packed, in_bytes)


def test_int4_weights_are_minus_7_to_7_and_halve_the_file(quantized: Path) -> None:
    in_bytes = {
        tensor.name: np.frombuffer(tensor.data, np.int8)
        for tensor in model(quantized, "int4-in-bytes").main.tensors
        if tensor.dtype == "int8" and tensor.is_constant
    }
    packed = [t for t in model(quantized, "int4").main.tensors if t.dtype == "int4"]
    assert {tensor.name for tensor in packed} == in_bytes.keys()
    assert len(packed) == 6
    for tensor in packed:
        values = unpack(np.frombuffer(tensor.data, np.uint8), int(np.prod(tensor.shape)))
        np.testing.assert_array_equal(values, in_bytes[tensor.name])
        assert np.abs(values).max() == 7  # whether clipped or not
    versions = {op.name: op.version for op in model(quantized, "int4").main.operators}
    expected = {"CONV_2D": 7, "DEPTHWISE_CONV_2D": 7, "FULLY_CONNECTED": 10}
    assert expected.items() <= versions.items()


def test_int4_scales_have_less_error_than_the_full_range() -> None:
    weights = np.random.default_rng(0).normal(size=(2, 200)) * [[1], [10]]
    scales = best_scales(weights, (1,))
    full = np.abs(weights).max(axis=1, keepdims=True) / 7

    def error(scale: np.ndarray) -> np.ndarray:
        rounded = np.clip(np.rint(weights / scale), -7, 7) * scale
        return np.square(rounded - weights).sum(axis=1)

    assert scales.shape == full.shape
    assert (error(scales) < 0.9 * error(full)).all()


@pytest.mark.parametrize("name", ["float16", "dynamic-range"])
def test_weights_without_ranges_are_those_of_the_converter(
    quantized: Path, runs: Runs, name: str
) -> None:
    ours, plain = (model(quantized, each).main for each in (name, f"plain-{name}"))
    assert sorted(t.data for t in ours.tensors) == sorted(t.data for t in plain.tensors)
    for runtime in INTERPRETERS - {"tflm"}:
        np.testing.assert_array_equal(
            scores(runs(name)[runtime]), scores(runs(f"plain-{name}")[runtime])
        )


def test_other_input_and_output_types_have_the_same_values(quantized: Path, runs: Runs) -> None:
    (tensor,) = model(quantized, "int8").main.output_tensors
    for runtime in runs("int8"):
        expected = dequantize(scores(runs("int8")[runtime]), tensor)
        np.testing.assert_array_equal(scores(runs("uint8-to-float")[runtime]), expected)
    graph = model(quantized, "uint8-to-float").main
    assert [graph.input_tensors[0].dtype, graph.output_tensors[0].dtype] == ["uint8", "float32"]


@pytest.mark.parametrize("name", INTEGERS)
def test_what_is_left_in_float_is_verified_from_the_file(quantized: Path, name: str) -> None:
    in_float = require_full_integer(
        model(quantized, name), model(quantized, "float"), QUANTIZATIONS[name]
    )
    assert [("deep" in layer) for layer in in_float] == [True] * (name == "float-layer")


def test_float_tensors_that_were_not_requested_are_named(quantized: Path) -> None:
    source = model(quantized, "float")
    with pytest.raises(ConversionError, match=r"left in float: .*deep.*of DEPTHWISE_CONV_2D"):
        require_full_integer(model(quantized, "float-layer"), source, Quantization())
    with pytest.raises(ConversionError, match=r"the input .*_uint8 is uint8, not int8"):
        require_full_integer(
            model(quantized, "uint8-to-float"), source, Quantization(output_type="float32")
        )
    with pytest.raises(ConversionError, match="applies to no layer with 1,024 weights or more"):
        require_quantized_weights(source, "dynamic-range")
    left = require_quantized_weights(model(quantized, "dynamic-range"), "dynamic-range")
    assert [("scores" in name) for name in left] == [True]


def test_patterns_match_consecutive_whole_names(quantized: Path) -> None:
    graph = model(quantized, "float").main

    def matches(*patterns: str) -> int:
        layers = [(pattern, "int16") for pattern in patterns]
        return list(assign_patterns(graph, "int8", layers).values()).count("int16")

    assert matches("deep") == matches("deep/*") == matches("*/deep/*") == 1
    assert matches("side_?") == 2
    assert (
        list(assign_patterns(graph, "int8", [("*", "int16"), ("*", "int4")]).values()).count(
            "int16"
        )
        == 0
    )
    with pytest.raises(ModelError, match=r"named 'side'; similar names are side_., side_."):
        matches("side")


def test_an_operator_without_an_int16_kernel_is_named(quantized: Path) -> None:
    rewrite = Rewrite((quantized / "int8.tflite").read_bytes())
    last = rewrite.graph.operators[-1]
    last.opcodeIndex = rewrite.operator_code("LOG_SOFTMAX", 2)
    with pytest.raises(ConversionError, match=r"LOG_SOFTMAX has no int16 kernel \(1 operator\)"):
        to_int16(rewrite.to_bytes(), (quantized / "float.tflite").read_bytes(), lambda _: True)


def test_a_layer_that_a_target_cannot_mix_in_is_named_by_its_option() -> None:
    settings = Quantization(layers=(("conv9", "int16"),))
    with pytest.raises(TargetError) as error:
        require_supported(settings, [load_target("android-arm64")])
    assert str(error.value).startswith(
        "--layer conv9=int16 with the scheme int8 for the target android-arm64: tflite-runtime"
        " does not support int16 mixed with int8"
    )


def test_a_target_without_the_scheme_is_rejected_with_the_targets_that_have_it() -> None:
    with pytest.raises(TargetError) as error:
        require_supported(Quantization(scheme="float16"), [load_target("nano-33-ble-sense")])
    assert str(error.value) == (
        "scheme float16 for the target nano-33-ble-sense: tflm does not support float16: its"
        " DEQUANTIZE does not support float16; supported on android-arm64, galaxy-a55,"
        " galaxy-s24-ultra and others"
    )
    with pytest.raises(TargetError, match="leave --dense per-channel out; supported on galaxy-a55"):
        require_supported(QUANTIZATIONS["int4-per-channel"], [load_target("android-arm64")])
    assert [
        each.name for each in supporting_targets(Quantization(), target_names())
    ] == target_names()
