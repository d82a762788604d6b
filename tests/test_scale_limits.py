"""Ranges without extent, or tiny next to others, get scales with which every interpreter runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import INTERPRETERS, Edgepack, only
from tiny import Tiny, Value

from edgepack.calibration.activations.dead_layers import find_dead
from edgepack.calibration.activations.instrument import activation_names, find_activations
from edgepack.calibration.activations.ranges import Range
from edgepack.calibration.activations.scale_limits import usable_ranges
from edgepack.tflite.parser import read_tflite

WIDTH = 8
RANDOM = np.random.default_rng(0)


class Dense(Tiny):
    """A float model of vectors, built layer by layer."""

    def layer(self, source: int, name: str, *, gain: float = 1.0, bias: float = 0.0) -> int:
        """Add a dense layer."""
        kernel = gain * RANDOM.normal(size=(WIDTH, WIDTH)) / WIDTH**0.5
        weights = self.tensor(f"{name}/kernel", Value((WIDTH, WIDTH), values=kernel))
        shift = self.tensor(f"{name}/bias", Value((WIDTH,), values=np.full(WIDTH, bias)))
        output = self.tensor(f"model/{name}/BiasAdd", Value((1, WIDTH)))
        inputs = [source, weights, shift]
        self.operator("FULLY_CONNECTED", inputs, [output], table="FullyConnectedOptions")
        return output

    def apply(self, operator: str, *inputs: int, name: str, **options: object) -> int:
        """Add an operator with one output."""
        output = self.tensor(f"model/{name}/Op", Value((1, WIDTH)))
        self.operator(operator, inputs, [output], **options)
        return output


def odd_model(operators: list[str]) -> bytes:
    """Build a model with branches that are dead, tiny, or cancel each other."""
    model = Dense()
    x = model.tensor("x", Value((1, WIDTH)))
    dead = model.apply("RELU", model.layer(x, "low", bias=-50), name="dead")
    tiny = model.layer(x, "tiny", gain=1e-9)
    wide = model.layer(x, "wide", gain=1e4)
    branches = [
        dead,
        model.layer(dead, "after", bias=1.0),
        model.layer(tiny, "biased", bias=30.0),
        model.apply("MUL", dead, x, name="product", table="MulOptions"),
        model.apply("SUB", wide, wide, name="difference", table="SubOptions"),
        model.apply("SOFTMAX", dead, name="probability"),
        model.layer(dead, "nothing"),
    ]
    if "HARD_SWISH" in operators:
        branches += [
            model.apply("HARD_SWISH", model.layer(x, "lower", bias=-80), name="swish"),
            model.apply(
                "SQUARED_DIFFERENCE", wide, wide, name="square", table="SquaredDifferenceOptions"
            ),
        ]
    total = x
    for place, branch in enumerate(branches):
        total = model.apply("ADD", total, branch, name=f"sum{place}", table="AddOptions")
    return model.to_bytes([x], [model.layer(total, "last")])


@pytest.mark.parametrize("scheme", ["int8", "int4", "int16"])
def test_dead_and_tiny_activations_run_on_every_interpreter(
    edgepack: Edgepack, tmp_path: Path, scheme: str
) -> None:
    operators = [] if scheme == "int16" else ["HARD_SWISH", "SQUARED_DIFFERENCE"]
    (tmp_path / "odd.tflite").write_bytes(odd_model(operators))
    np.savez(tmp_path / "x.npz", x=RANDOM.normal(size=(64, WIDTH)).astype(np.float32))
    done = edgepack(
        *("quantize", tmp_path / "odd.tflite", "--representative", tmp_path / "x.npz"),
        *("--scheme", scheme, "--output", tmp_path / "out"),
    )
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(only(report)[scheme]) == INTERPRETERS, done.stdout
    for score in only(report)[scheme].values():
        assert score["sqnr_db"] > {"int8": 30, "int4": 10, "int16": 40}[scheme]
    (note,) = (note for note in report["notes"] if "is zero for all" in note)
    listed = "'dead', 'swish'" if operators else "'dead'"
    assert note == (
        f"warning: the output of the layer{'s' if operators else ''} {listed} is zero for all 64"
        " samples of the representative dataset: add samples that activate"
        f" {'them, or remove them' if operators else 'it, or remove it'} from the model"
    )


def ranges_of(data: bytes, **known: tuple[float, float]) -> dict[str, Range]:
    """Return ranges by activation: those that are known, others -1 to 1."""
    graph = read_tflite(data).main
    names = activation_names(graph, find_activations(graph))
    given = {name: Range(min=-1.0, max=1.0) for name in names}
    return given | {
        f"model/{name}/{'BiasAdd' if f'model/{name}/BiasAdd' in names else 'Op'}": Range(
            min=low, max=high
        )
        for name, (low, high) in known.items()
    }


def test_healthy_ranges_stay_as_they_are() -> None:
    data = odd_model([])
    graph = read_tflite(data).main
    ranges = ranges_of(data, wide=(-200.0, 900.0), tiny=(-1e-9, 1e-9))
    assert usable_ranges(graph, ranges) == ranges
    assert find_dead(graph, ranges) == []


def chain(*, is_output: bool) -> tuple[bytes, list[str]]:
    """Build a threshold and a limit that nothing exceeds, and what follows them."""
    model = Dense()
    x = model.tensor("x", Value((1, WIDTH)))
    limit = model.tensor("limit", Value((1, WIDTH), values=np.full(WIDTH, 50.0)))
    is_above = model.tensor("model/above/Op", Value((1, WIDTH), "bool"))
    model.operator("GREATER", [x, limit], [is_above], table="GreaterOptions")
    zeros = model.tensor("zeros", Value((1, WIDTH), values=np.zeros(WIDTH)))
    threshold = model.apply(
        "SELECT_V2", is_above, x, zeros, name="threshold", table="SelectV2Options"
    )
    clipped = model.apply("MAXIMUM", x, limit, name="clipped", table="MaximumMinimumOptions")
    product = model.apply("MUL", threshold, clipped, name="product", table="MulOptions")
    hidden = model.apply("MUL", x, threshold, name="hidden", table="MulOptions")
    total = model.apply("ADD", product, hidden, name="total", table="AddOptions")
    last = total if is_output else model.apply("ADD", total, x, name="end", table="AddOptions")
    return model.to_bytes([x], [last]), ["threshold", "clipped", "product", "hidden", "total"]


@pytest.mark.parametrize("is_output", [True, False])
def test_what_first_stays_the_same_is_dead_and_its_followers_are_not(*, is_output: bool) -> None:
    data, still = chain(is_output=is_output)
    graph = read_tflite(data).main
    value = {name: 50.0 * (name == "clipped") for name in still}
    ranges = ranges_of(data, **{name: (value[name], value[name]) for name in still})
    dead = [graph.tensors[index].name for index in find_dead(graph, ranges)]
    assert dead == ["model/threshold/Op", "model/clipped/Op"]


@pytest.mark.parametrize("is_output", [True, False])
def test_whatever_operator_makes_an_output_the_same_is_dead(*, is_output: bool) -> None:
    """Elsewhere a difference may well be none."""
    model = Dense()
    x = model.tensor("x", Value((1, WIDTH)))
    none = model.apply("SUB", x, x, name="none", table="SubOptions")
    last = none if is_output else model.apply("ADD", none, x, name="end", table="AddOptions")
    data = model.to_bytes([x], [last])
    dead = find_dead(read_tflite(data).main, ranges_of(data, none=(0.0, 0.0)))
    assert len(dead) == is_output


def test_a_range_without_extent_gets_that_of_what_it_is_combined_with() -> None:
    data = odd_model([])
    graph = read_tflite(data).main
    given = ranges_of(data, dead=(0.0, 0.0), after=(-3.0, 7.0), nothing=(0.0, 1e-30))
    usable = usable_ranges(graph, given)
    assert usable["model/dead/Op"] == Range(min=-7.0, max=7.0)
    assert usable["model/nothing/BiasAdd"] == Range(min=-1.0, max=1.0)
    assert usable_ranges(graph, usable) == usable
    everything = dict.fromkeys(given, Range(min=0.0, max=0.0))
    assert usable_ranges(graph, everything)["x"] == Range(min=-1.0, max=1.0)


def test_a_tiny_range_is_widened_just_enough_and_keeps_its_proportions() -> None:
    model = Dense()
    x, y = (model.tensor(name, Value((1, WIDTH))) for name in "xy")
    graph = read_tflite(
        model.to_bytes([x, y], [model.apply("SUB", x, y, name="z", table="SubOptions")])
    ).main
    wide, tiny = Range(min=-4096.0, max=4096.0), Range(min=-1e-6, max=3e-6)
    usable = usable_ranges(graph, {"x": wide, "y": tiny, "model/z/Op": tiny})
    assert usable == {"x": wide, "y": tiny, "model/z/Op": Range(min=-0.5, max=1.5)}
