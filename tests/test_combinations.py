"""Known kernel defects, compared with what the installed interpreters do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from combinations import Case, cases
from conftest import AVAILABLE, BIT_EXACT, INTERPRETERS, MLPERF, Bundle, Edgepack, lsb, only
from test_operators import MICRO, one, read, target
from tiny import Tiny, Value, lstm_with_float, one_operator

from edgepack.checks.fixed_shapes import shapes_are_fixed
from edgepack.checks.full_integer import nothing_is_left_in_float
from edgepack.checks.operators import operators_are_known
from edgepack.checks.type_combinations import combinations_are_run, combinations_come_out_right
from edgepack.core.progress import ignore
from edgepack.devices.target import load_target, target_names
from edgepack.evaluation.deviation import find_known_defect
from edgepack.evaluation.paired_outputs import sqnr_db
from edgepack.quantization.affine import dequantize
from edgepack.runtimes import REFERENCE
from edgepack.runtimes.processes import interpreters
from edgepack.runtimes.run_result import Run
from edgepack.tflite.parser import read_tflite

CHECKS = (
    *(combinations_come_out_right, combinations_are_run),
    *(nothing_is_left_in_float, shapes_are_fixed),
)
RIGHT_DB = 15.0  # quantization alone leaves 30 dB, a wrong kernel less than 10 dB
BOARD = target(kind="microcontroller", quantization="full-integer", interpreters={"tflm": MICRO})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Run]]:
    """Run every case on every interpreter."""
    work = tmp_path_factory.mktemp("runs")
    runs = {}
    with interpreters(AVAILABLE) as running:
        for name, case in CASES.items():
            model = work / "one.tflite"
            model.write_bytes(case.data)
            inputs = {"x": case.inputs}
            runs[name] = running.run(
                model=model, inputs=inputs, outputs=["y"], work=work, update=ignore
            )
    return runs


CASES = cases()


def outcome(case: Case, run: Run) -> str:
    if run.outputs is None:
        return "wrong" if "NaN" in str(run.failure) else "refused"
    (tensor,) = read_tflite(case.data).main.output_tensors
    actual = dequantize(run.outputs["y"], tensor)
    ratio = sqnr_db(case.expected.astype(np.float32), actual.reshape(case.expected.shape))
    return "right" if ratio is None or ratio > RIGHT_DB else "wrong"


@pytest.mark.parametrize("name", CASES)
def test_the_table_agrees_with_the_interpreters(runs: dict[str, dict[str, Run]], name: str) -> None:
    model = read_tflite(CASES[name].data)
    for interpreter, run in runs[name].items():
        if interpreter == REFERENCE.name:
            assert bool(find_known_defect(model)) == (outcome(CASES[name], run) == "wrong")
            continue
        installed = target(interpreters={interpreter: run.version})
        if any(operators_are_known(model, installed)):
            continue  # already reported by its version
        expected = "right"
        if any(combinations_are_run(model, installed)):
            expected = "refused"
        elif any(combinations_come_out_right(model, installed)):
            expected = "wrong"
        assert expected == outcome(CASES[name], run), (interpreter, run.failure)


@pytest.mark.parametrize(
    ("name", "interpreter", "oldest", "expected"),
    [
        ("dense int8", "tflm", "0.dev20240524170235", "wrong"),
        ("dense int8", "tflm", "0.dev20240529040542", "refused"),
        ("dense int8", "tflm", "0.dev20241025232721", "right"),
        ("dense int8, 3 dimensions", "tflm", "0.dev20241025232721", "refused"),
        ("dense int8", "tflite-runtime", "2.9.1", "wrong"),
        ("dense int16, 3 dimensions", "litert", "1.0.1", "wrong"),
        ("dense int16, 3 dimensions", "tflite-runtime", "2.14.0", "wrong"),
        ("quantize int8 to int16", "litert", "2.1.2", "refused"),
        ("quantize int8 to int16", "litert", "2.1.4", "right"),
    ],
)
def test_the_oldest_release_decides(
    name: str, interpreter: str, oldest: str, expected: str
) -> None:
    """As measured on those releases."""
    model, old = read_tflite(CASES[name].data), target(interpreters={interpreter: oldest})
    wrong, refused = (list(check(model, old)) for check in CHECKS[:2])
    assert [expected == "wrong", expected == "refused"] == [bool(wrong), bool(refused)]


def test_a_finding_names_the_defect_the_layer_and_the_fixed_release() -> None:
    old = target(interpreters={"tflm": "0.dev20240102222236"})
    finding = one(combinations_come_out_right(read_tflite(CASES["dense int8"].data), old))
    assert finding.message == (
        "FULLY_CONNECTED with int8 weights with one scale per output channel is computed wrongly,"
        " without an error, by tflm 0.dev20240102222236"
    )
    assert finding.cure == (
        "quantize with --dense per-tensor; tflm supports it from 0.dev20241025232721 on"
    )
    assert (finding.operator, finding.layer) == ("FULLY_CONNECTED", "layer")


def test_sparse_and_blockwise_weights_are_found() -> None:
    def dense(**kind: bool) -> Any:
        weights = Value(
            (4, 8), "float32" if "is_sparse" in kind else "int4", values=[1] * 32, **kind
        )
        return read_tflite(
            one_operator("FULLY_CONNECTED", [Value((1, 8)), weights], [Value((1, 4))])
        )

    sparse = one(combinations_come_out_right(dense(is_sparse=True), BOARD))
    assert "with sparse weights" in sparse.message
    phone = target(interpreters={"litert": "2.3.0", "tflite-runtime": "2.14.0"})
    block = one(combinations_come_out_right(dense(is_blockwise=True), phone))
    assert "one scale per block is computed wrongly, without an error, by tflite-" in block.message


def test_a_hybrid_model_is_not_run_by_tflm(quantized: Path) -> None:
    model = read(quantized / "dynamic-range.tflite")
    finding = one(combinations_are_run(model, BOARD))
    assert finding.message.startswith(
        "CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED with float activations and integer weights"
    )
    assert finding.layer == "first, deep, side_a, side_b, hidden"
    in_float = one(nothing_is_left_in_float(model, BOARD))
    assert in_float.message.startswith(
        "weights are stored in int8, but the model computes in float"
    )
    assert "--scheme int8, with a representative dataset" in str(in_float.cure)


def test_a_float_model_and_one_in_float16_are_distinguished(quantized: Path, models: Path) -> None:
    for path in (quantized / "float.tflite", models / "loop.tflite"):
        finding = one(nothing_is_left_in_float(read(path), BOARD))
        assert finding.message.startswith("the model is not quantized: it computes in float")
    half = read(quantized / "float16.tflite")
    assert "stored in float16" in one(nothing_is_left_in_float(half, BOARD)).message
    assert (
        "DEQUANTIZE with float16 is not supported by"
        in one(combinations_are_run(half, BOARD)).message
    )


def test_layers_left_in_float_are_named(quantized: Path) -> None:
    finding = one(nothing_is_left_in_float(read(quantized / "float-layer.tflite"), BOARD))
    assert finding.message == (
        "DEPTHWISE_CONV_2D computes in float, 1 of 12 operators; the target requires integers"
        " throughout"
    )
    assert finding.layer == "deep"
    for name in ("int8", "int16", "uint8-to-float", "int16-float-ends"):
        assert list(nothing_is_left_in_float(read(quantized / f"{name}.tflite"), BOARD)) == []


def test_an_lstm_with_a_gate_left_in_float_is_found() -> None:
    model = read_tflite(lstm_with_float())
    finding = one(nothing_is_left_in_float(model, BOARD))
    assert finding.message.startswith("SPLIT, LOGISTIC compute in float, 2 of 5 operators")
    assert finding.layer == "lstm/lstm_cell/splita, lstm/lstm_cell/Sigmoid"


def test_shapes_on_microcontrollers_are_fixed() -> None:
    def pool(signature: tuple[int, ...]) -> Any:
        image, axes = (
            Value((1, 1, 1, 4), signature=signature),
            Value((2,), "int32", values=[1, 2]),
        )
        return read_tflite(one_operator("MEAN", [image, axes], [Value((1, 4))]))

    assert list(shapes_are_fixed(pool((-1, 1, 1, 4)), BOARD)) == []  # the batch
    finding = one(shapes_are_fixed(pool((-1, -1, -1, 4)), BOARD))
    assert "dynamic sizes in dimensions 1 and 2" in finding.message
    shape, value = Value((2,), "int32"), Value((), values=[0.0])
    fill = read_tflite(one_operator("FILL", [shape, value], [Value((1, 4))]))
    finding = one(shapes_are_fixed(fill, BOARD))
    assert finding.message == "the output shape of FILL is computed while the model runs"


def test_models_of_edgepack_and_mlperf_have_no_defects(cnn: Bundle, quantized: Path) -> None:
    files = [cnn.folder / "int8.tflite", quantized / "int8.tflite"]
    for path in (*files, *sorted(MLPERF.glob("*/reference_int8.tflite"))):
        model = read(path)
        for name in target_names():
            for check in CHECKS:
                assert list(check(model, load_target(name))) == [], (path, name)


def unlike_relu6() -> bytes:
    """Write a float model whose RELU6 has an input that another operator uses too."""
    model, shape = Tiny(), Value((1, 8))
    x, clipped, double, last = (
        model.tensor(name, shape) for name in ("x", "model/clipped/Relu6", "double", "last")
    )
    largest = model.tensor("model/largest/Maximum", shape)
    model.operator("RELU6", [x], [clipped])
    model.operator("ADD", [x, x], [double], table="AddOptions")
    model.operator("MAXIMUM", [clipped, double], [largest])
    model.operator("SUB", [largest, x], [last], table="SubOptions")
    return model.to_bytes([x], [last])


@pytest.mark.parametrize("scheme", ["int8", "int16"])
def test_what_edgepack_quantizes_has_like_scales(
    edgepack: Edgepack, tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "model.tflite").write_bytes(unlike_relu6())
    x = np.random.default_rng(0).normal(0, 4, size=(64, 8)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    done = edgepack(
        *("quantize", tmp_path / "model.tflite", "--representative", tmp_path / "x.npz"),
        *("--scheme", scheme, "--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert lsb(report, "tflm") == BIT_EXACT
    assert set(only(report)[scheme]) == INTERPRETERS
    for score in only(report)[scheme].values():
        assert score["sqnr_db"] > {"int8": 30, "int16": 70}[scheme]
    quantized = read(tmp_path / "out" / f"{scheme}.tflite")
    assert "RELU6" in {operator.name for operator in quantized.main.operators}
    assert list(combinations_come_out_right(quantized, BOARD)) == []


def test_a_relu6_of_unlike_scales_is_named_with_its_cure() -> None:
    model = read_tflite(CASES["relu6 int8, unlike scales"].data)
    finding = one(combinations_come_out_right(model, BOARD))
    assert finding.message == (
        "RELU6 with int8 or int16 inputs and outputs of unlike scales is computed wrongly, without"
        f" an error, by tflm {MICRO}"
    )
    assert finding.layer == "layer"
    assert finding.cure == (
        "quantize the float model with edgepack quantize, which gives them one scale"
    )
