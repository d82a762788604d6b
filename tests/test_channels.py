"""Channels of outputs: which are lost to a scale that they share, and which are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from comparison_reports import complete_comparison
from numpy.typing import NDArray
from tiny import Tiny, Value

from edgepack.checks import judge
from edgepack.checks.evidence import Evidence
from edgepack.config.budgets import Budgets
from edgepack.devices.target import load_target
from edgepack.evaluation.channels import FEW_STEPS, ChannelGroup
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.lost_channels import worst_channels
from edgepack.metrics import Measure, find_metric
from edgepack.quantization.affine import quantize
from edgepack.report.sections.verdict import verdict_headline
from edgepack.tflite.graph import QuantParams, Tensor
from edgepack.tflite.output_parts import OutputLayout, OutputPart, output_layouts
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.split_outputs import split_outputs

Array = NDArray[Any]
RANDOM = np.random.default_rng(0)
SAMPLES = 40


def spread(*extents: float, positions: int = 8, low: float = 0.0) -> Array:
    """Return outputs (samples, positions, channels), each of ``low`` to its extent and a bit."""
    values = RANDOM.random((SAMPLES, positions, len(extents))) * extents
    return (values + low).astype(np.float32)


def scale_of(values: Array) -> float:
    return float(max(values.max(), 0) - min(values.min(), 0)) / 255


def layout_of(values: Array, *ends: int, step: float | None = None) -> OutputLayout:
    """Return the layout of an output whose parts end at these channels; without any, of one."""
    shape, parts = values.shape[1:], []
    others = tuple((0, size) for size in shape[:-1])
    for first, end in zip((0, *ends), ends, strict=False):
        parts.append(OutputPart(region=(*others, (first, end)), tensor=0, layer="part"))
    return OutputLayout(
        shape=shape,
        step=scale_of(values) if step is None else step,
        operator="CONCATENATION" if parts else "FULLY_CONNECTED",
        layer="joined",
        parts=tuple(parts),
    )


def groups(values: Array, *ends: int, measures: tuple[Measure, ...] = ()) -> list[ChannelGroup]:
    """Return what an int8 scale over all values under-resolves."""
    step = scale_of(values)
    zero_point = round(-128 - float(min(values.min(), 0)) / step)
    quant = QuantParams(scale=(step,), zero_point=(zero_point,))
    tensor = Tensor(name="y", shape=(1, *values.shape[1:]), dtype="int8", quant=quant, data=b"")
    evaluator = Evaluator(values, measures)
    return list(evaluator.channels(quantize(values, tensor), tensor, layout_of(values, *ends)))


def lost(values: Array, *ends: int) -> list[str]:
    return [group.where for group in groups(values, *ends) if group.is_lost]


@pytest.mark.usefixtures("small_blocks")
def test_scores_beside_boxes_are_lost() -> None:
    values = np.concatenate([spread(366, 366, 366, 366), spread(*[1.0] * 10)], axis=-1)
    (group,) = groups(values, 4, 14)
    assert group.where == "channels 4 to 13 of 14"
    assert group.region == ((0, 8), (4, 14))
    assert group.is_lost
    assert (group.low, group.high) == pytest.approx((0, 1), abs=0.01)
    assert group.steps == pytest.approx(255 / 366, rel=0.02)
    assert group.sqnr_db is not None
    assert group.sqnr_db < 5
    assert worst_channels([[group], []]) == (
        f"channels 4 to 13 of 14: SQNR {group.sqnr_db:.1f} dB, 0.7 steps of the scale, lost"
    )
    assert worst_channels([(), ()]) is None


def test_without_parts_channels_are_lost_one_by_one() -> None:
    assert lost(spread(366, 1, 1, 366, 1)) == ["channels 1 to 2 of 5", "channel 4 of 5"]
    assert lost(spread(366, 1, low=-0.5)) == ["channel 1 of 2"]
    beside_an_offset = spread(1000, 0.4, low=20)
    assert lost(beside_an_offset) == ["channel 1 of 2"]  # 20.0 to 20.4: an SQNR of 40 dB


def test_channels_of_alike_ranges_are_not_lost() -> None:
    assert not groups(spread(366, 100, 30))
    assert not groups(spread(366, 100, 366, 100), 2, 4)
    assert not groups(spread(5))
    assert not groups(spread(5), 1)


def test_a_part_of_few_steps_is_coarse() -> None:
    values = np.concatenate([spread(366, 366), spread(10, 10)], axis=-1)
    (group,) = groups(values, 2, 4)
    assert not group.is_lost
    assert group.steps < FEW_STEPS
    assert "steps of the scale, coarse" in str(worst_channels([[group]]))


def test_a_class_that_is_never_predicted_is_not_lost() -> None:
    """Its values are hardly above zero, but they have the meaning of the other classes'."""
    scores = spread(1, 1, 0.0005)
    assert not groups(scores)
    beside_boxes = np.concatenate([spread(1.2, 1.2), scores], axis=-1)
    assert not groups(beside_boxes, 2, 5)
    assert not groups(beside_boxes)


def test_pixels_that_hardly_vary_are_not_lost() -> None:
    """The ranges of an image's pixels, flattened, are spread evenly."""
    assert not groups(spread(*np.geomspace(0.1, 255, 200)))


def test_a_channel_that_is_constant_in_float_is_not_lost() -> None:
    values = spread(366, 366, 0, 0)
    values[..., 3] = 5
    values[0, 0, 3] = np.nextafter(np.float32(5), np.float32(6))
    assert not groups(values)
    assert not groups(values, 2, 4)
    assert not groups(np.full_like(values, 3))


def test_a_part_whose_channels_have_offsets_is_lost_too() -> None:
    values = np.concatenate([spread(1000, 1000), spread(0.4, low=20), spread(0.4)], axis=-1)
    (group,) = groups(values, 2, 4)
    assert (group.where, group.is_lost) == ("channels 2 to 3 of 4", True)
    assert group.steps == pytest.approx(0.1, abs=0.02)
    assert (group.low, group.high) == pytest.approx((0, 20.4), abs=0.1)


def test_few_values_show_no_range() -> None:
    assert not groups(spread(366, 1)[:2, :1])


def test_class_scores_are_not_compared_by_channel() -> None:
    values = spread(366, 1, 366)[:, 0]
    accuracy = find_metric("accuracy")
    labels = Measure(metric=accuracy, wanted=np.zeros(SAMPLES, np.int64))
    assert not groups(values, measures=(labels,))
    assert not groups(values)  # without labels they count as class scores, too
    assert [group.where for group in groups(values, 1, 2, 3)] == ["channel 1 of 3"]
    mse = Measure(metric=find_metric("mse"), wanted=values)
    assert [group.where for group in groups(values, measures=(mse,))] == ["channel 1 of 3"]


def test_without_a_scale_nothing_is_compared() -> None:
    values = spread(366, 1)
    layout = layout_of(values, step=0.0)
    without = OutputLayout(shape=layout.shape, step=None, operator="CONV_2D", layer="y")
    assert not Evaluator(values).channels(np.zeros_like(values), None, without)


BOXES, SCORES = Value((1, 8, 4), "float32"), Value((1, 8, 3), "float32")


def joined(
    *, axis: int = 2, activation: int = 0, reads: bool = False, constant: bool = False
) -> bytes:
    """Write a model that joins two activations of its input, or of a constant."""
    tiny = Tiny()
    x = tiny.tensor("x", BOXES)
    boxes = tiny.tensor("model/boxes/Relu", BOXES)
    scores = tiny.tensor("model/scores/Sigmoid", BOXES)
    shape = [1, 8, 8] if axis in (2, -1) else [1, 16, 4]
    y = tiny.tensor("Identity", Value(shape))
    other = tiny.tensor("anchors", Value((1, 8, 4), values=np.ones((1, 8, 4))))
    tiny.operator("RELU", [x], [boxes])
    tiny.operator("LOGISTIC", [x], [scores])
    options = {"axis": axis, "fusedActivationFunction": activation}
    parts = [boxes, other if constant else scores]
    tiny.operator("CONCATENATION", parts, [y], table="ConcatenationOptions", **options)
    outputs = [y]
    if reads:
        outputs.append(tiny.tensor("model/again/Relu", Value(shape)))
        tiny.operator("RELU", [y], outputs[1:])
    return tiny.to_bytes([x], outputs)


@pytest.mark.parametrize("axis", [2, -1])
def test_parts_become_outputs(axis: int) -> None:
    split = split_outputs(joined(axis=axis), ["y"])
    assert [(each.name, each.region) for each in split.outputs] == [
        ("y_0", ((0, 8), (0, 4))),
        ("y_1", ((0, 8), (4, 8))),
    ]
    graph = read_tflite(split.tflite).main
    assert [tensor.name for tensor in graph.output_tensors] == ["y_0", "y_1"]
    assert [operator.name for operator in graph.operators] == ["RELU", "LOGISTIC"]
    assert not split.obstacles


def test_parts_along_another_axis_become_outputs() -> None:
    split = split_outputs(joined(axis=1), ["y"])
    assert [each.shape for each in split.outputs] == [(8, 4), (8, 4)]
    assert split.outputs[1].region == ((8, 16), (0, 4))


def test_names_of_parts_do_not_collide() -> None:
    tiny = Tiny()
    x = tiny.tensor("x", BOXES)
    boxes, scores, other = (tiny.tensor(name, BOXES) for name in ("a/Relu", "y_1", "b/Relu"))
    y = tiny.tensor("y", Value((1, 8, 8)))
    tiny.operator("RELU", [x], [boxes])
    tiny.operator("LOGISTIC", [x], [scores])
    tiny.operator("RELU6", [x], [other])
    options: dict[str, Any] = {"table": "ConcatenationOptions", "axis": 2}
    tiny.operator("CONCATENATION", [boxes, scores], [y], **options)
    split = split_outputs(tiny.to_bytes([x], [y, other]), ["y", "y_0"])
    assert [each.name for each in split.outputs] == ["y_0_", "y_1_", "y_0"]
    names = [tensor.name for tensor in read_tflite(split.tflite).main.output_tensors]
    assert names == ["y_0_", "y_1_", "b/Relu"]


@pytest.mark.parametrize(
    ("model", "obstacle"),
    [
        (joined(activation=1), "its CONCATENATION has an activation function"),
        (joined(reads=True), "its CONCATENATION is read by other operators too"),
        (joined(constant=True), "a part of it is the constant anchors"),
    ],
)
def test_what_cannot_be_split_stays(model: bytes, obstacle: str) -> None:
    names = ["y", "again"][: len(read_tflite(model).main.outputs)]
    split = split_outputs(model, names)
    assert split.tflite == model
    assert split.obstacles["y"] == obstacle


def test_an_output_behind_a_reshape_is_judged_by_its_parts_but_not_split() -> None:
    tiny = Tiny()
    x = tiny.tensor("x", BOXES)
    boxes, scores = (tiny.tensor(name, BOXES) for name in ("m/a/Relu", "m/b/Sigmoid"))
    y = tiny.tensor("m/join/concat", Value((1, 8, 8)))
    shape = tiny.tensor("shape", Value((4,), "int32", values=[1, 2, 4, 8]))
    z = tiny.tensor("Identity", Value((1, 2, 4, 8)))
    tiny.operator("RELU", [x], [boxes])
    tiny.operator("LOGISTIC", [x], [scores])
    options: dict[str, Any] = {"table": "ConcatenationOptions", "axis": 2}
    tiny.operator("CONCATENATION", [boxes, scores], [y], **options)
    tiny.operator("RESHAPE", [y, shape], [z])
    model = tiny.to_bytes([x], [z])
    (layout,) = output_layouts(read_tflite(model).main)
    assert [part.region for part in layout.parts] == [
        ((0, 2), (0, 4), (0, 4)),
        ((0, 2), (0, 4), (4, 8)),
    ]
    assert [part.layer for part in layout.parts] == ["a", "b"]
    obstacle = "RESHAPE follows the CONCATENATION that joins it"
    assert split_outputs(model, ["y"]).obstacles == {"y": obstacle}


def test_a_nested_concatenation_is_split_into_all_of_its_parts() -> None:
    tiny = Tiny()
    x = tiny.tensor("x", BOXES)
    options: dict[str, Any] = {"table": "ConcatenationOptions"}
    levels = []
    for level in "ab":
        parts = [tiny.tensor(f"m/{level}{kind}/F", BOXES) for kind in ("box", "score")]
        tiny.operator("RELU", [x], parts[:1])
        tiny.operator("LOGISTIC", [x], parts[1:])
        levels.append(tiny.tensor(f"m/{level}/concat", Value((1, 8, 8))))
        tiny.operator("CONCATENATION", parts, levels[-1:], axis=2, **options)
    y = tiny.tensor("Identity", Value((1, 16, 8)))
    tiny.operator("CONCATENATION", levels, [y], axis=1, **options)
    split = split_outputs(tiny.to_bytes([x], [y]), ["y"])
    assert [each.region for each in split.outputs] == [
        *(((0, 8), (0, 4)), ((0, 8), (4, 8))),
        *(((8, 16), (0, 4)), ((8, 16), (4, 8))),
    ]
    assert {operator.name for operator in read_tflite(split.tflite).main.operators} == {
        "RELU",
        "LOGISTIC",
    }


def found_in(model: bytes, target: str, *found: ChannelGroup) -> list[tuple[str, bool]]:
    """Return the findings on a model, as a file of this target's interpreters shows channels."""
    chosen = load_target(target)
    evidence = Evidence(
        model=read_tflite(model),
        model_bytes=len(model),
        channels={"y": dict.fromkeys(chosen.interpreters, found)},
    )
    return [
        (str(finding), finding.is_note)
        for result in judge(chosen, evidence).results
        if result.check == "channels_are_represented"
        for finding in result.findings
    ]


def group(*, is_lost: bool) -> ChannelGroup:
    return ChannelGroup(
        where="channels 4 to 7 of 8",
        region=((0, 8), (4, 8)),
        low=0.004,
        high=0.92,
        steps=0.6,
        sqnr_db=0.0,
        is_lost=is_lost,
    )


def quantized(name: str, *, axis: int = 2) -> bytes:
    """Write an int8 model whose output is written by CONCATENATION or by another operator."""
    tiny = Tiny()
    value, wide = Value((1, 8, 4), "int8", 1.44), Value((1, 8, 8), "int8", 1.44)
    x = tiny.tensor("x", value if name == "CONCATENATION" else wide)
    parts = [tiny.tensor(f"m/{layer}/F", value) for layer in ("boxes", "scores")]
    y = tiny.tensor("m/all/F", wide)
    if name == "CONCATENATION":
        for part in parts:
            tiny.operator("RELU", [x], [part])
        tiny.operator(name, parts, [y], table="ConcatenationOptions", axis=axis)
    else:
        tiny.operator(name, [x], [y])
    return tiny.to_bytes([x], [y])


def test_a_comparison_with_lost_channels_does_not_pass() -> None:
    report = replace(complete_comparison("m"), budgets={"the command": Budgets(max_drop=100.0)})
    assert report.passed
    *others, stage = report.stages
    run = stage.runs["litert"]
    for is_lost in (True, False):
        outputs = {
            name: replace(output, channels=(group(is_lost=is_lost),))
            for name, output in run.outputs.items()
        }
        runs = {"litert": replace(run, outputs=outputs)}
        changed = replace(report, stages=(*others, replace(stage, runs=runs)))
        assert changed.passed is not is_lost
        assert (changed.exit_status == 1) is is_lost
        headline = verdict_headline(replace(changed, budgets={}))
        assert (headline.word == "FAILED") is is_lost
        assert any("worst channels of" in sentence for sentence in headline.sentences)


START = (
    "output y: channels 4 to 7 of 8 from 0.004 to 0.92 in the float model, but the output's only"
    " scale has steps of 1.44: these values are"
)
BUILD = "build the model with an output for each kind of value"


def test_lost_channels_fail_a_target_and_name_what_joins_them() -> None:
    model = quantized("CONCATENATION")
    joins = f"CONCATENATION joins them: export or quantize with --split-outputs, or {BUILD}"
    for target in ("nano-33-ble-sense", "android-arm64"):
        assert found_in(model, target, group(is_lost=True)) == [
            (f"{START} lost (boxes, scores); {joins}", False)
        ]
        assert found_in(model, target, group(is_lost=False)) == [
            (f"{START} coarse (boxes, scores); {joins}", True)
        ]
        assert not found_in(model, target)


def test_lost_channels_of_one_layer_have_other_cures() -> None:
    model = quantized("RELU")
    assert found_in(model, "nano-33-ble-sense", group(is_lost=True)) == [
        (f"{START} lost (all); {BUILD}", False)
    ]
    assert found_in(model, "android-arm64", group(is_lost=True)) == [
        (f"{START} lost (all); {BUILD}, or quantize with --scheme int16", False)
    ]
