"""Files that contradict themselves: refused, or failed by name, whatever an interpreter runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from combinations import cases
from conftest import ROOT
from tiny import Tiny, Value, one_operator

from edgepack import FirmwareConfig, ValidateConfig, ValidationReport, firmware, inspect, validate
from edgepack.checks import documentation
from edgepack.checks.reference_refusal import contradictions, needs_second
from edgepack.config.firmware import NamedModel
from edgepack.core.errors import ModelError
from edgepack.core.progress import ignore
from edgepack.pipeline.steps.run import Workload
from edgepack.pipeline.validation.reference_check import find_contradictions
from edgepack.quantization.dynamic_range import quantize_weights
from edgepack.runtimes import LITERT_KERNELS, REFERENCE, RUNTIMES
from edgepack.runtimes.installed import installed
from edgepack.runtimes.processes import interpreters
from edgepack.runtimes.run_result import Run
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite

sys.path.append(str(ROOT / "scripts"))
import mutants

BOARD, PHONE = "nano-33-ble-sense", "android-arm64"
TINIEST = float(np.finfo(np.float32).tiny)
CONSTANT = "has scales that are no positive numbers of full precision"


def net(change: Callable[[Any], None] | None = None) -> bytes:
    """Write a convolution and a depthwise one behind it, in int8; ``change`` a SubGraphT of it."""
    tiny = Tiny()
    x = tiny.tensor("x", Value((1, 8, 8, 3), "int8", 0.05))
    weights = Value((4, 3, 3, 3), "int8", [0.01] * 4, values=np.arange(108) % 100)
    bias = Value((4,), "int32", [0.0005] * 4, values=range(4))
    between = tiny.tensor("model/conv/Conv2D", Value((1, 6, 6, 4), "int8", 0.1))
    deep = Value((1, 3, 3, 4), "int8", [0.01] * 4, axis=3, values=np.arange(36))
    deep_bias = Value((4,), "int32", [0.001] * 4, values=range(4))
    given = tiny.tensor("model/deep/depthwise", Value((1, 4, 4, 4), "int8", 0.1))
    window = {"padding": 1, "strideW": 1, "strideH": 1}
    tiny.operator(
        "CONV_2D",
        [x, tiny.tensor("kernel", weights), tiny.tensor("bias", bias)],
        [between],
        version=3,
        table="Conv2DOptions",
        **window,
    )
    tiny.operator(
        "DEPTHWISE_CONV_2D",
        [between, tiny.tensor("deep", deep), tiny.tensor("deep_bias", deep_bias)],
        [given],
        version=3,
        table="DepthwiseConv2DOptions",
        depthMultiplier=1,
        **window,
    )
    data = tiny.to_bytes([x], [given])
    if change is None:
        return data
    rewrite = Rewrite(data)
    change(rewrite.graph)
    return rewrite.to_bytes()


def options(place: int, **values: Any) -> Callable[[Any], None]:
    """Set options of an operator."""

    def change(graph: Any) -> None:
        for name, value in values.items():
            setattr(graph.operators[place].builtinOptions, name, value)

    return change


def without_options(graph: Any) -> None:
    graph.operators[1].builtinOptions, graph.operators[1].builtinOptionsType = None, 0


def of_another(graph: Any) -> None:
    first, second = graph.operators
    second.builtinOptions, second.builtinOptionsType = (
        first.builtinOptions,
        first.builtinOptionsType,
    )


def two_outputs(graph: Any) -> None:
    graph.tensors.append(graph.tensors[2])
    graph.operators[1].outputs = [2, len(graph.tensors) - 1]


def ends(place: int, **lists: list[int]) -> Callable[[Any], None]:
    """Set inputs or outputs of an operator."""

    def change(graph: Any) -> None:
        for name, indices in lists.items():
            setattr(graph.operators[place], name, indices)

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_options, "operator 1, DEPTHWISE_CONV_2D, has no DepthwiseConv2DOptions"),
        (of_another, "operator 1, DEPTHWISE_CONV_2D, has no DepthwiseConv2DOptions"),
        (options(0, padding=7), "operator 0, CONV_2D, has padding 7, which does not exist"),
        (
            options(1, fusedActivationFunction=99),
            "operator 1, DEPTHWISE_CONV_2D, has fused_activation_function 99, which does not exist",
        ),
        (options(0, strideW=0), "operator 0, CONV_2D, has stride_w 0"),
        (options(0, strideH=-2), "operator 0, CONV_2D, has stride_h -2"),
        (options(1, dilationHFactor=0), "DEPTHWISE_CONV_2D, has dilation_h_factor 0"),
        (ends(0, inputs=[0]), "operator 0, CONV_2D, has 1 inputs, 2 to 3 are needed"),
        (ends(0, inputs=[-1, 3, 4]), "operator 0, CONV_2D, leaves input 0 out"),
        (two_outputs, "operator 1, DEPTHWISE_CONV_2D, has 2 outputs, 1 is needed"),
    ],
)
def test_operators_without_what_they_need_are_damage(
    change: Callable[[Any], None], told: str
) -> None:
    with pytest.raises(ModelError, match=f"^damaged .tflite file: .*{told}$"):
        read_tflite(net(change))


@pytest.mark.parametrize("version", [0, -2])
def test_versions_begin_at_1(version: int) -> None:
    value = Value((1, 4))
    with pytest.raises(ModelError, match=f"operator 0, RELU, is of version {version}$"):
        read_tflite(one_operator("RELU", [value], [value], version=version))


def test_operators_that_count_their_ends_count_them_right() -> None:
    axis, whole, half = Value((), "int32", values=[1]), Value((1, 4)), Value((1, 2))
    data = one_operator("SPLIT", [axis, whole], [half, half], table="SplitOptions", numSplits=2)
    assert len(read_tflite(data).main.outputs) == 2
    data = one_operator("SPLIT", [axis, whole], [half, half], table="SplitOptions", numSplits=3)
    with pytest.raises(ModelError, match="SPLIT, has num_splits 3 and 2 outputs"):
        read_tflite(data)


def test_inputs_that_may_be_left_out_may_be_left_out() -> None:
    taken = [(2, 10), (8, 10), (8, 4), None, (2, 32)]
    inputs = [Value(shape) if shape else None for shape in taken]
    assert read_tflite(one_operator("SVDF", inputs, [Value((2, 4))])).main.operators


def scaled(scale: float, values: Any, dtype: str = "int8") -> bytes:
    """Write a dense layer whose second output has a scale for its weights."""
    weights = Value((2, 4), dtype, [0.1, scale], values=values)
    return one_operator(
        "FULLY_CONNECTED",
        [Value((1, 4), "int8", 0.1), weights, None],
        [Value((1, 2), "int8", 0.1)],
    )


@pytest.mark.parametrize("dtype", ["int8", "int4"])
@pytest.mark.parametrize("scale", [0.0, 1e-45, TINIEST / 2, np.nan, np.inf, -1.0])
def test_scales_that_nothing_can_be_divided_by_are_damage(scale: float, dtype: str) -> None:
    with pytest.raises(ModelError, match=f"tensor 1 {CONSTANT}$"):
        read_tflite(scaled(scale, [1, 2, 3, 4, 0, 0, 0, 1], dtype))
    assert read_tflite(scaled(TINIEST, [1, 2, 3, 4, 0, 0, 0, 1], dtype))


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_scales_of_channels_of_zeros_mean_nothing(dtype: str) -> None:
    """TensorFlow's converter writes 0, or what is next to it, for them (int16, 2.15)."""
    for scale in (0.0, 8e-45):
        assert read_tflite(scaled(scale, [1, 2, 3, 4, 0, 0, 0, 0], dtype)).main.operators
    for scale in (np.nan, np.inf, -1.0):
        with pytest.raises(ModelError, match=CONSTANT):
            read_tflite(scaled(scale, [1, 2, 3, 4, 0, 0, 0, 0], dtype))


@pytest.mark.parametrize(
    ("scale", "is_damage"),
    [
        (0.0, True),
        (1e-45, True),
        (1e-39, True),
        (4.6099e-41, False),  # of int8, and below of int16: what the converter writes for a
        (3.59e-43, False),  # branch that is dead
        (7.8e-9, False),
    ],
)
def test_scales_of_activations_are_numbers_or_those_of_dead_branches(
    scale: float, is_damage: bool
) -> None:
    value = Value((1, 4), "int8", scale)
    data = one_operator("RELU", [value], [value])
    if is_damage:
        with pytest.raises(ModelError, match=f"tensor 0 {CONSTANT}$"):
            read_tflite(data)
    else:
        assert read_tflite(data).main.operators


def test_edgepack_writes_no_such_scale() -> None:
    weights = np.full((8, 256), 1e-42, np.float32)
    weights[1] = 0.5
    value = Value(weights.shape, values=weights)
    data = one_operator(
        "FULLY_CONNECTED",
        [Value((1, 256)), value, None],
        [Value((1, 8))],
        table="FullyConnectedOptions",
    )
    quantized = quantize_weights(data, lambda _: True, per_tensor_dense=False)
    (found,) = [t.quant for t in read_tflite(quantized).main.tensors if t.quant]
    assert min(found.scale) > TINIEST


def validated(data: bytes, folder: Path, **gate: Any) -> ValidationReport:
    (folder / "model.tflite").write_bytes(data)
    return validate(
        ValidateConfig(
            model=folder / "model.tflite", **{"targets": (BOARD, PHONE), "jobs": 2} | gate
        )
    )


def no_room(graph: Any) -> None:
    graph.operators[0].builtinOptions.strideH = 1000


def wider(graph: Any) -> None:
    graph.tensors[graph.inputs[0]].shape = [1, 8, 12, 3]


def test_what_tflm_runs_and_the_reference_kernels_refuse_fails_everywhere(tmp_path: Path) -> None:
    report = validated(net(no_room), tmp_path)
    assert report.runtimes["tflm"].failure is None
    assert not report.passed
    for name in (BOARD, PHONE):
        (told,) = [why for why in report.targets[name].verdict.reasons if "refuse the model" in why]
        assert "(deep)" in told
    build = FirmwareConfig(
        models=(NamedModel(path=tmp_path / "model.tflite"),), target=BOARD, output=tmp_path / "out"
    )
    assert not firmware(build).passed


def test_shapes_that_do_not_follow_from_the_inputs_fail_everywhere(tmp_path: Path) -> None:
    report = validated(net(wider), tmp_path)
    assert not report.passed
    for target in report.targets.values():
        assert any(
            "the tensor 'model/conv/Conv2D' has the shape [1, 6, 6, 4] by the file, and holds 240"
            in why
            for why in target.verdict.reasons
        )
    assert validated(net(), tmp_path).passed


def test_shapes_that_the_file_leaves_open_may_be_others(tmp_path: Path) -> None:
    shape, given = Value((2,), "int32", values=[4, 2]), Value((1, 1), signature=(-1, -1))
    data = one_operator("RESHAPE", [Value((1, 8)), shape], [given])
    assert validated(data, tmp_path, targets=(PHONE,)).passed


def test_a_sound_file_is_refused_by_no_kernels_that_have_the_last_word(tmp_path: Path) -> None:
    """Every case that a target's interpreter runs, and none that contradicts itself."""
    asked = 0
    with interpreters([REFERENCE, *RUNTIMES.values()], jobs=2) as running:
        for name, case in cases().items():
            model = tmp_path / "one.tflite"
            model.write_bytes(case.data)
            runs = running.run(
                model=model, inputs={"x": case.taken}, outputs=["y"], work=tmp_path, update=ignore
            )
            reference = runs.pop(REFERENCE.name)
            if needs_second(reference) and any(run.failure is None for run in runs.values()):
                asked += 1
                workload = Workload(
                    path=model,
                    model=read_tflite(case.data),
                    inputs={"x": case.taken},
                    outputs=["y"],
                )
                found = find_contradictions(running, workload, reference, tmp_path)
                assert found == (), name
    assert asked >= 4


def test_what_no_resolver_has_is_no_word_on_the_content(tmp_path: Path) -> None:
    custom = one_operator("Mine", [Value((1, 4))], [Value((1, 4))])
    newer = one_operator("CONV_2D", [Value((1, 1, 1, 1)), ONE], [Value((1, 1, 1, 1))], version=77)
    for data, wanted in ((custom, []), (newer, ["no interpreter has CONV_2D in version 77"])):
        path = tmp_path / "one.tflite"
        path.write_bytes(data)
        shape = read_tflite(data).main.input_tensors[0].shape
        inputs = {"x": np.zeros((1, *shape[1:]), np.float32)}
        kernels = installed([REFERENCE, LITERT_KERNELS])
        with interpreters(kernels) as running:
            made = running.run(
                model=path, inputs=inputs, outputs=["y"], work=tmp_path, update=ignore
            )
        runs = [made.get(each.name) for each in (REFERENCE, LITERT_KERNELS)]
        assert all(run is None or run.is_refused for run in runs)
        found = contradictions(read_tflite(data), *runs)
        assert [finding.message for finding in found] == wanted


ONE = Value((1, 1, 1, 1), values=[1])


def test_a_limit_and_nan_are_no_refusal() -> None:
    model = read_tflite(net())
    stopped = Run(version="", failure="stopped after 1 s")
    refused = Run(version="", failure="no", is_refused=True)
    ran, odd = Run(version=""), Run(version="", resized={0: 7})
    assert not needs_second(ran)
    assert all(map(needs_second, (None, stopped, refused)))
    for first, second, found in (
        (ran, None, 0),
        (odd, None, 1),
        (None, ran, 0),
        (None, refused, 1),
        (stopped, stopped, 0),
        (stopped, refused, 1),
        (stopped, odd, 1),
        (refused, stopped, 0),
        (refused, ran, 0),
        (refused, refused, 1),
        (refused, None, 0),
    ):
        assert len(list(contradictions(model, first, second))) == found


def test_biases_of_2020_are_read_and_run_by_tflm_alone(tmp_path: Path) -> None:
    def of_2020(graph: Any) -> None:
        for operator in graph.operators:
            graph.tensors[operator.inputs[2]].quantization.quantizedDimension = 3

    report = validated(net(of_2020), tmp_path)
    assert report.targets[BOARD].verdict.passed
    assert not report.targets[PHONE].verdict.passed
    assert inspect(tmp_path / "model.tflite").graphs[0].tensors[4].axis == 3


def test_the_rule_is_documented() -> None:
    assert "file_makes_sense" in documentation()


def test_what_is_too_large_is_refused_before_anything_is_made_of_it(tmp_path: Path) -> None:
    def huge(graph: Any) -> None:
        graph.tensors[graph.inputs[0]].shape = [1, 1 << 14, 1 << 14, 3]

    with pytest.raises(ModelError, match=r"the inputs take 768 MiB for 1 samples, and the memory"):
        validated(net(huge), tmp_path)


@pytest.mark.parametrize("place", ["x", "model/layer/Op"])
def test_ends_without_elements_are_refused(place: str, tmp_path: Path) -> None:
    shapes = [(1, 0) if each == place else (1, 4) for each in ("x", "model/layer/Op")]
    tiny = Tiny()
    taken, given = (
        tiny.tensor("x", Value(shapes[0])),
        tiny.tensor("model/layer/Op", Value(shapes[1])),
    )
    tiny.operator("RELU", [taken], [given])
    with pytest.raises(ModelError, match=f"{place}: its shape .* holds no values"):
        validated(tiny.to_bytes([taken], [given]), tmp_path)


def test_a_model_that_gives_nothing_is_refused(tmp_path: Path) -> None:
    tiny = Tiny()
    taken, given = tiny.tensor("x", Value((1, 4))), tiny.tensor("y", Value((1, 4)))
    tiny.operator("RELU", [taken], [given])
    with pytest.raises(ModelError, match="the model gives no outputs"):
        validated(tiny.to_bytes([taken], []), tmp_path)


def test_the_same_seed_makes_the_same_mutants() -> None:
    whole = net()
    made = [mutants.mutant(whole, number, 5) for number in range(60)]
    assert made == [mutants.mutant(whole, number, 5) for number in range(60)]
    assert len({*made, whole}) > 55
    assert made != [mutants.mutant(whole, number, 6) for number in range(60)]
    for data in made[1::2]:
        schema.ModelT.InitFromPackedBuf(data, 0)  # it is a FlatBuffer still


def run_mutants(folder: Path, *arguments: object) -> dict[str, int]:
    path = folder / "net.tflite"
    path.write_bytes(net())
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "mutants.py", path, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = (line.split(maxsplit=1) for line in done.stdout.splitlines())
    return {name: int(count) for count, name in counts}


FEW = (("validate", 12), ("firmware", 12), ("inspect", 40))
MANY = (("validate", 300), ("firmware", 300), ("inspect", 300))


@pytest.mark.parametrize(
    ("by", "count"), [*FEW, *(pytest.param(*each, marks=pytest.mark.slow) for each in MANY)]
)
def test_mutants_are_refused_or_failed_and_never_pass_wrongly(
    by: str, count: int, tmp_path: Path
) -> None:
    counts = run_mutants(
        tmp_path,
        *("--by", by, "--only", "structured", "--count", count, "--jobs", 2),
        *("--time-limit", 120, "--seed", 3),
    )
    assert counts.pop("in all") == count == sum(counts.values())
    assert counts["refused: damaged"] > count / 4
