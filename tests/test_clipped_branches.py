"""A MINIMUM or MAXIMUM leaves what others read of its inputs as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import INTERPRETERS, Edgepack
from test_ranges import graph, op
from test_scale_limits import WIDTH, Dense
from tiny import Tiny, Value

from edgepack.calibration.activations.ranges import Range
from edgepack.calibration.activations.shared_scale import clipped_activations, sharing_groups
from edgepack.quantization.represented_ranges import cut_range_notes
from edgepack.tflite.graph import Model
from edgepack.tflite.parser import read_tflite

REDUCING: dict[str, Any] = {"table": "ReducerOptions", "keepDims": True}
PASSING: dict[str, dict[str, Any]] = {
    "REDUCE_MAX": REDUCING,
    "REDUCE_MIN": REDUCING,
    "RESHAPE": {"table": "ReshapeOptions", "newShape": [1, WIDTH]},
    "REVERSE_V2": {"table": "ReverseV2Options"},
    "SELECT_V2": {"table": "SelectV2Options"},
}
"""Operators between a layer and its clipping, with their options."""


class Clipped(Dense):
    """A model whose layers are clipped, and also read by others."""

    def __init__(self) -> None:
        super().__init__()
        self.x = self.tensor("x", Value((1, WIDTH)))
        self.outputs: list[int] = []

    def constant(self, name: str, values: object, dtype: str = "float32") -> int:
        """Add a constant of one dimension."""
        shape = np.shape(values)
        return self.tensor(name, Value(shape, dtype, values=values))

    def clip(self, source: int, name: str, largest: float = 0.5, width: int = WIDTH) -> int:
        """Add a MINIMUM with a constant."""
        bound = self.constant(f"{name}/bound", [largest])
        output = self.tensor(f"model/{name}/Op", Value((1, width)))
        self.operator("MINIMUM", [source, bound], [output], table="MaximumMinimumOptions")
        return output

    def output(self, *read: int) -> None:
        """Add an output, of a layer of its own, that reads the sum of tensors."""
        name = f"out{len(self.outputs)}"
        total, *others = read
        for place, each in enumerate(others):
            total = self.apply("ADD", total, each, name=f"{name}_{place}", table="AddOptions")
        self.outputs.append(self.layer(total, name))

    def passed_on(self, operator: str, source: int) -> int:
        """Add an operator that passes values on."""
        others = {
            "REDUCE_MAX": [([1], "int32")],
            "REDUCE_MIN": [([1], "int32")],
            "RESHAPE": [([1, WIDTH], "int32")],
            "REVERSE_V2": [([1], "int32")],
        }.get(operator, [])
        inputs = [source, *(self.constant(f"{operator}/1", *each) for each in others)]
        if operator == "SELECT_V2":
            condition = self.tensor(f"{operator}/above", Value((1, WIDTH), "bool"))
            bound = self.constant(f"{operator}/0.2", [0.2])
            self.operator("GREATER", [source, bound], [condition], table="GreaterOptions")
            inputs = [condition, source, self.constant(f"{operator}/0", np.zeros((1, WIDTH)))]
        width = 1 if "REDUCE" in operator else WIDTH
        output = self.tensor(f"model/{operator}/Op", Value((1, width)))
        self.operator(operator, inputs, [output], **PASSING[operator])
        return output


def branching() -> bytes:
    """Build a model that reads the inputs of each MINIMUM and MAXIMUM in other ways too."""
    model = Clipped()
    for operator in PASSING:
        source = model.layer(model.x, f"before {operator}", gain=3)
        width = 1 if "REDUCE" in operator else WIDTH
        passed_on = model.passed_on(operator, source)
        clipped = model.clip(passed_on, f"clip {operator}", width=width)
        model.output(source, clipped)
    source = model.layer(model.x, "steep", gain=3)
    slope = model.constant("slope", [-0.7])
    flat = model.apply("MUL", source, slope, name="flat", table="MulOptions")
    model.output(model.apply("MAXIMUM", source, flat, name="larger", table="MaximumMinimumOptions"))
    twice = model.layer(model.x, "twice", gain=3)
    model.output(model.clip(twice, "at 0.5"), model.clip(twice, "at 2", 2.0))
    alone = model.layer(model.x, "alone", gain=3)
    model.output(model.clip(alone, "only clip"))
    return model.to_bytes([model.x], model.outputs)


def test_what_a_clip_cuts_off_is_kept_for_others(edgepack: Edgepack, tmp_path: Path) -> None:
    (tmp_path / "clips.tflite").write_bytes(branching())
    x = np.random.default_rng(0).normal(size=(64, WIDTH)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    done = edgepack(
        *("quantize", tmp_path / "clips.tflite", "--representative", tmp_path / "x.npz"),
        *("--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    for outputs in report["comparison"]["outputs"].values():
        assert set(outputs["int8"]) == INTERPRETERS
        assert min(score["sqnr_db"] for score in outputs["int8"].values()) > 30
    ranges = report["calibration"]["activations"]
    fixed = {name: each["fixed_by"] for name, each in ranges.items() if each["fixed_by"]}
    assert fixed == {"model/alone/BiasAdd": "MINIMUM"}  # whose values nobody else reads
    assert ranges["model/alone/BiasAdd"]["represented"]["max"] == pytest.approx(0.5, abs=0.02)
    assert not any("cuts" in note for note in report["notes"])


def test_values_are_clipped_before_a_clip_only_where_that_changes_nothing() -> None:
    conv, clip = op("CONV_2D", (0,), 1), op("MINIMUM", (2,), 3)
    for name in ("PAD", "MAX_POOL_2D", "REDUCE_MAX", "RESHAPE", "SELECT_V2"):
        alone = graph(conv, op(name, (1,), 2), clip, op("ABS", (3,), 4), tensors=5)
        assert sharing_groups(alone) == [{1, 2}]
        assert clipped_activations(alone) == {1: "MINIMUM", 2: "MINIMUM"}
    for name in ("AVERAGE_POOL_2D", "RESIZE_BILINEAR", "REVERSE_V2"):
        averaged = graph(conv, op(name, (1,), 2), clip, op("ABS", (3,), 4), tensors=5)
        assert sharing_groups(averaged) == [{1, 2, 3}]
        assert clipped_activations(averaged) == {}
    read = graph(conv, op("PAD", (1,), 2), clip, op("ABS", (1,), 4), tensors=5)
    assert sharing_groups(read) == [{1, 2, 3}]
    is_output = replace(graph(conv, op("PAD", (1,), 2), clip, tensors=4), outputs=(2, 3))
    assert sharing_groups(is_output) == [{1, 2, 3}]
    chain = graph(
        conv, op("PAD", (1,), 2), clip, op("MAXIMUM", (3,), 4), op("ABS", (1,), 5), tensors=6
    )
    assert sharing_groups(chain) == [{1, 2, 3, 4}]


def test_a_range_that_the_quantizer_narrows_is_told() -> None:
    """No known model has one: TensorFlow's quantizer may change."""

    def narrowed(operator: str, last: str) -> Model:
        model, int8 = Tiny(), Value((1, WIDTH), "int8", 0.02, -28)  # -2 to 3.1
        x, before, after = (model.tensor(name, int8) for name in ("x", "before", "after"))
        model.operator(operator, [x], [before])
        model.operator(last, [before, before] if last == "MINIMUM" else [before], [after])
        return read_tflite(model.to_bytes([x], [after]))

    asked = {"before": Range(min=-4.0, max=3.0), "after": Range(min=-2.0, max=3.0)}
    (note,) = cut_range_notes(narrowed("ABS", "RELU"), asked)
    assert note == (
        "warning: TensorFlow's quantizer cuts the values of abs: they range from -4 to 3, and it"
        " represents -2 to 3.1"
    )
    assert (
        cut_range_notes(narrowed("ABS", "RELU"), asked | {"before": Range(min=-2.01, max=3.0)})
        == []
    )
    assert cut_range_notes(narrowed("ABS", "MINIMUM"), asked) == []
    assert cut_range_notes(narrowed("LOG_SOFTMAX", "RESHAPE"), asked) == []
