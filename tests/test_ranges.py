"""Ranges are saved in a file that users can edit, and the edited ranges take effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Bundle, Edgepack

from edgepack.calibration.activations.activation_statistics import (
    Observed,
    Statistics,
    moving_average,
)
from edgepack.calibration.activations.instrument import activation_names, find_activations
from edgepack.calibration.activations.ranges import (
    Range,
    choose_ranges,
    load_ranges,
    read_recorded_ranges,
    save_ranges,
    write_ranges,
)
from edgepack.calibration.activations.shared_scale import pooling_factors, sharing_groups
from edgepack.core.errors import CalibrationError
from edgepack.tflite.graph import Graph, Operator, Tensor
from edgepack.tflite.parser import read_tflite


def graph(*operators: Operator, tensors: int) -> Graph:
    return Graph(
        tensors=tuple(
            Tensor(name=f"t{i}", shape=(1, 4), dtype="float32", quant=None, data=b"")
            for i in range(tensors)
        ),
        operators=operators,
        inputs=(0,),
        outputs=(tensors - 1,),
    )


def op(name: str, inputs: tuple[int, ...], *outputs: int) -> Operator:
    return Operator(name=name, version=1, inputs=inputs, outputs=outputs)


POOLED = graph(
    op("CONV_2D", (0,), 1),
    op("MAX_POOL_2D", (1,), 2),
    op("CONV_2D", (0,), 3),
    op("CONCATENATION", (2, 3), 4),
    op("SOFTMAX", (4,), 5),
    tensors=6,
)


def statistics(low: float, high: float) -> Statistics:
    return Statistics(
        min=low,
        max=high,
        lows=moving_average(np.array([low])),
        highs=moving_average(np.array([high])),
    )


def observed(**ranges: tuple[float, float]) -> Observed:
    return Observed(
        samples=1,
        activations={name: statistics(*bounds) for name, bounds in ranges.items()},
        growth=(),
    )


def test_activations_that_share_a_scale_get_the_widest_range_and_all_ranges_include_zero() -> None:
    assert sharing_groups(POOLED) == [{1, 2, 3, 4}]
    ranges = choose_ranges(
        POOLED,
        observed(t0=(1, 2), t1=(0, 5), t2=(1, 5), t3=(-3, 1), t4=(-3, 5), t5=(0, 1)),
        "min-max",
    )
    assert ranges["t0"] == Range(min=0, max=2)
    assert {ranges[f"t{i}"] for i in (1, 2, 3, 4)} == {Range(min=-3, max=5)}
    assert ranges["t5"] == Range(min=0, max=1)


def test_pooling_factors_are_of_tensors_that_only_an_average_pooling_uses() -> None:
    assert pooling_factors(POOLED) == {}
    alone = graph(op("AVERAGE_POOL_2D", (0,), 1), op("SOFTMAX", (1,), 2), tensors=3)
    assert pooling_factors(alone) == {0: 1.0}
    also_used = graph(op("AVERAGE_POOL_2D", (0,), 1), op("ADD", (0, 1), 2), tensors=3)
    assert pooling_factors(also_used) == {}


def test_inputs_and_outputs_are_never_clipped() -> None:
    samples = [statistics(-9, 9), *[statistics(-1, 1)] * 200]
    joined = samples[0]
    for later in samples[1:]:
        joined = joined.followed_by(later)
    whole = Observed(samples=201, activations={f"t{i}": joined for i in range(6)}, growth=())
    ranges = choose_ranges(POOLED, whole, "moving-average")
    assert ranges["t0"] == ranges["t5"] == Range(min=-9, max=9)
    assert ranges["t1"].max < 1.1


def test_ranges_are_written_into_the_model_and_read_back(cnn: Bundle) -> None:
    data = (cnn.folder / "float.tflite").read_bytes()
    graph = read_tflite(data).main
    ranges = {
        name: Range(min=-float(index), max=0.5 * index)
        for name, index in activation_names(graph, find_activations(graph)).items()
    }
    assert read_recorded_ranges(write_ranges(data, ranges)) == ranges


@pytest.fixture
def edited(cnn: Bundle, tmp_path: Path) -> Any:
    """The content of the cnn's calibration.json, to be edited, and a function that loads it."""
    content = json.loads((cnn.folder / "calibration.json").read_text())
    graph = read_tflite((cnn.folder / "float.tflite").read_bytes()).main
    path = tmp_path / "calibration.json"

    def load() -> Any:
        path.write_text(json.dumps(content))
        return load_ranges(path, graph)

    return content, load


def test_a_file_of_ranges_is_read_as_it_was_written(cnn: Bundle, edited: Any) -> None:
    content, load = edited
    ranges = load()
    assert {name: vars(each) for name, each in ranges.items()} == content["activations"]
    assert content["observer"] == "min-max"
    assert content["samples"] == 24
    again = cnn.folder.parent / "again.json"
    save_ranges(again, ranges, "min-max", None)
    assert json.loads(again.read_text())["activations"] == content["activations"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c, n: c["activations"][n].update(min=float("nan")),
            "needs a finite number as 'min'",
        ),
        (lambda c, n: c["activations"][n].update(max=1e300), "needs a finite number"),
        (lambda c, n: c["activations"][n].update(max="9"), "needs a finite number"),
        (lambda c, n: c["activations"][n].update(max=True), "needs a finite number"),
        (lambda c, n: c["activations"].update({n: 3}), "needs a finite number"),
        (lambda c, n: c["activations"][n].update(min=1, max=2), "excludes zero"),
        (lambda c, n: c["activations"][n].update(min=2, max=-2), "excludes zero"),
        (lambda c, n: c["activations"].pop(n), "no range for .*; calibrate this model again"),
        (
            lambda c, n: c["activations"].update({n[:-1] + "x": c["activations"][n]}),
            "has no activation .*did you mean",
        ),
        (lambda c, _: c.update(schema=2), "reads schema 1"),
        (lambda c, _: c.pop("activations"), "has no 'activations'"),
    ],
)
def test_invalid_edits_are_refused(edited: Any, change: Any, message: str) -> None:
    content, load = edited
    change(content, list(content["activations"])[2])
    with pytest.raises(CalibrationError, match=message):
        load()


def test_activations_that_share_a_scale_must_be_edited_together(tmp_path: Path) -> None:
    ranges = choose_ranges(POOLED, observed(**{f"t{i}": (0.0, 1.0) for i in range(6)}), "min-max")
    save_ranges(tmp_path / "c.json", ranges | {"t2": Range(min=0, max=2)}, "min-max", None)
    with pytest.raises(CalibrationError, match="'t1' and 't2' share one scale"):
        load_ranges(tmp_path / "c.json", POOLED)


def test_a_range_set_by_hand_takes_effect(
    cnn: Bundle, models: Path, edgepack: Edgepack, tmp_path: Path
) -> None:
    content = json.loads((cnn.folder / "calibration.json").read_text())
    name = next(name for name in content["activations"] if "onv2d" in name)
    content["activations"][name] = {"min": 0, "max": 51}
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content))
    done = edgepack(
        *("export", models / "cnn.h5", "--test", models / "cnn.npz", "--strict"),
        *("--ranges", path, "--output", tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert "from --ranges" in done.stdout
    model = read_tflite((tmp_path / "out" / "int8.tflite").read_bytes()).main
    quant = next(tensor.quant for tensor in model.tensors if tensor.name == name)
    assert quant is not None
    assert quant.scale[0] == pytest.approx(0.2)
    report = json.loads((tmp_path / "out" / "report.json").read_text())["calibration"]
    effect = report["activations"][name]
    assert (effect["asked"], effect["fixed_by"]) == ({"min": 0.0, "max": 51.0}, None)
    assert effect["scale"] == quant.scale[0]


def test_every_scale_is_read_back_from_the_file(cnn: Bundle) -> None:
    model = read_tflite((cnn.folder / "int8.tflite").read_bytes()).main
    effects = cnn.report["calibration"]["activations"]
    assert effects
    for tensor in model.tensors:
        if tensor.name in effects and tensor.quant:
            assert effects[tensor.name]["scale"] == tensor.quant.scale[0]
            assert effects[tensor.name]["zero_point"] == tensor.quant.zero_point[0]
