"""Channels of outputs: which are lost to a scale that they share, and which are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from comparison_reports import complete_comparison
from joined import REVERSED, TO_FLAT, TO_ROWS, layout_in, moved
from numpy.typing import NDArray
from tiny import Tiny, Value

from edgepack.checks import judge
from edgepack.checks.evidence import Evidence
from edgepack.config.budgets import Budgets
from edgepack.devices.target import load_target
from edgepack.evaluation.channels import FEW_STEPS, ChannelGroup
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.lost_channels import loss_in_words, worst_channels
from edgepack.layer_errors.output_causes import diagnose_output
from edgepack.metrics import Measure, find_metric
from edgepack.quantization.affine import quantize
from edgepack.report.sections.verdict import verdict_headline
from edgepack.tflite.graph import QuantParams, Tensor
from edgepack.tflite.output_parts import OutputLayout, OutputPart, output_layouts
from edgepack.tflite.output_pieces import Pieces
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.value_origins import ValueSource

Array = NDArray[Any]
RANDOM = np.random.default_rng(0)
SAMPLES = 40


def spread(*extents: float, positions: int = 8, low: float = 0.0) -> Array:
    """Return outputs (samples, positions, channels), each of ``low`` to its extent and a bit."""
    values = RANDOM.random((SAMPLES, positions, len(extents))) * extents
    return (values + low).astype(np.float32)


def scale_of(values: Array) -> float:
    return float(max(values.max(), 0) - min(values.min(), 0)) / 255


def layout_of(
    values: Array, *ends: int, step: float | None = None, operator: str = "LOGISTIC"
) -> OutputLayout:
    """Return the layout of an output whose parts end at these channels; without any, of one."""
    shape, parts = values.shape[1:], []
    origins = np.empty(shape, np.int32)
    start = 0
    for first, end in zip((0, *ends), ends or shape[-1:], strict=False):
        part = origins[..., first:end]
        part[...] = np.arange(start, start + part.size).reshape(part.shape)
        source = ValueSource(tensor=0, first=start, size=part.size, period=end - first)
        parts.append(OutputPart(layer="part", operator=operator, source=source))
        start += part.size
    return OutputLayout(
        step=scale_of(values) if step is None else step,
        operator="CONCATENATION" if ends else "FULLY_CONNECTED",
        origins=origins,
        parts=tuple(parts),
        pieces=Pieces(),
    )


def groups(
    values: Array,
    *ends: int,
    measures: tuple[Measure, ...] = (),
    layout: OutputLayout | None = None,
) -> list[ChannelGroup]:
    """Return what an int8 scale over all values under-resolves."""
    step = scale_of(values)
    zero_point = round(-128 - float(min(values.min(), 0)) / step)
    quant = QuantParams(scale=(step,), zero_point=(zero_point,))
    tensor = Tensor(name="y", shape=(1, *values.shape[1:]), dtype="int8", quant=quant, data=b"")
    evaluator = Evaluator(values, measures)
    layout = replace(layout, step=step) if layout else layout_of(values, *ends)
    return list(evaluator.channels(quantize(values, tensor), tensor, layout))


def lost(values: Array, *ends: int) -> list[str]:
    return [group.where for group in groups(values, *ends) if group.is_lost]


@pytest.mark.usefixtures("small_blocks")
def test_scores_beside_boxes_are_lost() -> None:
    values = np.concatenate([spread(366, 366, 366, 366), spread(*[1.0] * 10)], axis=-1)
    (group,) = groups(values, 4, 14)
    assert group.where == "channels 4 to 13 (of 14, from 0)"
    assert group.region == ((0, 8), (4, 14))
    assert group.is_lost
    assert (group.low, group.high) == pytest.approx((0, 1), abs=0.01)
    assert group.steps == pytest.approx(255 / 366, rel=0.02)
    assert group.sqnr_db is not None
    assert group.sqnr_db < 5
    assert worst_channels([[group], []]) == (
        f"channels 4 to 13 (of 14, from 0): SQNR {group.sqnr_db:.1f} dB, 0.7 steps of the scale,"
        " lost"
    )
    assert worst_channels([(), ()]) is None


def test_without_parts_channels_are_lost_one_by_one() -> None:
    assert lost(spread(366, 1, 1, 366, 1)) == [
        "channels 1 to 2 (of 5, from 0)",
        "channel 4 (of 5, from 0)",
    ]
    assert lost(spread(366, 1, low=-0.5)) == ["channel 1 (of 2, from 0)"]
    beside_an_offset = spread(1000, 0.4, low=20)
    assert lost(beside_an_offset) == ["channel 1 (of 2, from 0)"]  # 20.0 to 20.4: an SQNR of 40 dB


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
    assert (group.where, group.is_lost) == ("channels 2 to 3 (of 4, from 0)", True)
    assert group.steps == pytest.approx(0.1, abs=0.02)
    assert (group.low, group.high) == pytest.approx((0, 20.4), abs=0.1)


def test_no_ratio_of_neighboring_ranges_hides_a_lost_channel() -> None:
    (group,) = groups(spread(*(3.0**-k for k in range(7)), low=-0.5))
    assert (group.where, group.is_lost) == ("channels 5 to 6 (of 7, from 0)", True)


def test_channels_that_are_all_lost_are_found() -> None:
    positions = np.concatenate([spread(0.02, low=52.5), spread(0.02, low=13.4)], axis=-1)
    (group,) = groups(positions)
    assert (group.where, group.is_lost) == ("all values", True)
    assert loss_in_words("out", [group], 0.2).startswith("output out: all values, each within 0.0")


def test_a_part_of_0_to_1_that_is_no_probability_is_lost_beside_probabilities() -> None:
    values = np.concatenate([spread(1, 1, 1, 1), spread(0.002)], axis=-1)
    assert not groups(values, 4, 5)
    layout = layout_of(values, 4, 5, operator="RELU")
    assert [(group.where, group.is_lost) for group in groups(values, layout=layout)] == [
        ("channel 4 (of 5, from 0)", True)
    ]


def test_few_values_show_no_range() -> None:
    assert not groups(spread(366, 1)[:2, :1])


def test_class_scores_are_not_compared_by_channel() -> None:
    values = spread(366, 1, 366)[:, 0]
    accuracy = find_metric("accuracy")
    labels = Measure(metric=accuracy, wanted=np.zeros(SAMPLES, np.int64))
    assert not groups(values, measures=(labels,))
    assert lost(values) == [
        "channel 1 (of 3, from 0)"
    ]  # without labels, unlike ranges are no class scores
    assert [group.where for group in groups(values, 1, 2, 3)] == ["channel 1 (of 3, from 0)"]
    mse = Measure(metric=find_metric("mse"), wanted=values)
    assert [group.where for group in groups(values, measures=(mse,))] == [
        "channel 1 (of 3, from 0)"
    ]


def test_without_a_scale_nothing_is_compared() -> None:
    values = spread(366, 1)
    without = replace(layout_of(values), step=None)
    assert not Evaluator(values).channels(np.zeros_like(values), None, without)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("model", "where"),
    [
        (moved(TO_ROWS), "rows 4 to 6 (of 7, from 0) along axis 1"),
        (moved(TO_FLAT), "the part of b (24 of 56 values)"),
        (moved(REVERSED), "channels 0 to 2 (of 7, from 0)"),
        (moved(operator="PACK", axis=1), "row 1 (of 2, from 0) along axis 1"),
        (moved(operator="PACK", axis=3), "channel 1 (of 2, from 0)"),
    ],
)
def test_scores_are_lost_wherever_they_are_moved(model: bytes, where: str) -> None:
    layout = layout_in(model)
    (scores,) = (part for part in layout.parts if part.layer == "b")
    values = RANDOM.random((SAMPLES, *layout.shape)) * 366
    values[:, scores.source.holds(layout.origins)] /= 366
    assert [each.where for each in groups(values.astype(np.float32), layout=layout)] == [where]


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


def group(*, is_lost: bool, steps: float = 0.6, sqnr_db: float = 0.0) -> ChannelGroup:
    return ChannelGroup(
        where="channels 4 to 7 (of 8, from 0)",
        region=((0, 8), (4, 8)),
        low=0.004,
        high=0.92,
        steps=steps,
        sqnr_db=sqnr_db,
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
    "output y: channels 4 to 7 (of 8, from 0), 0.004 to 0.92 in the float model, but the"
    " output's only scale has steps of 1.44: these values are"
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


def test_debug_names_coarse_channels_too() -> None:
    (layout,) = output_layouts(read_tflite(quantized("CONCATENATION")).main)
    coarse = diagnose_output("y", [group(is_lost=False)], layout)
    assert coarse
    assert coarse.why == f"{START} coarse"
    assert "--split-outputs" in coarse.cure
    both = diagnose_output("y", [group(is_lost=True), group(is_lost=False)], layout)
    assert both
    assert both.why == f"{START} lost; {START} coarse"
    assert diagnose_output("y", [], layout) is None


def test_values_of_one_or_two_steps_are_nearly_lost() -> None:
    near = group(is_lost=True, steps=1.7, sqnr_db=10.5)
    ((message, is_note),) = found_in(quantized("RELU"), "nano-33-ble-sense", near)
    assert not is_note
    assert f"{START} nearly lost, hardly more than two can be told apart" in message
    assert worst_channels([[near]]) == (
        "channels 4 to 7 (of 8, from 0): SQNR 10.5 dB, 1.7 steps of the scale, nearly lost"
    )
    ((message, _),) = found_in(quantized("RELU"), "nano-33-ble-sense", near, group(is_lost=True))
    assert f"{START} lost (all)" in message.replace(
        "channels 4 to 7 (of 8, from 0), 0.004 to 0.92; ", "", 1
    )


def test_lost_channels_of_one_layer_have_other_cures() -> None:
    model = quantized("RELU")
    assert found_in(model, "nano-33-ble-sense", group(is_lost=True)) == [
        (f"{START} lost (all); {BUILD}", False)
    ]
    assert found_in(model, "android-arm64", group(is_lost=True)) == [
        (f"{START} lost (all); {BUILD}, or quantize with --scheme int16", False)
    ]
