"""The footprint on microcontrollers, compared with real builds and TFLM's own allocations."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Bundle, mlperf_path, python, reference_model
from tiny import Value, one_operator

from edgepack.core.codec import restore
from edgepack.core.errors import ModelError
from edgepack.footprint import KERNELS, Footprint, compute_arena, compute_footprint
from edgepack.footprint.allocations import Allocations
from edgepack.footprint.arena import host_arena
from edgepack.footprint.flash import runtime_flash_bytes
from edgepack.tflite.graph import Graph, Model, Operator, QuantParams, Tensor
from edgepack.tflite.parser import read_tflite

ALLOCATIONS = """
import json, pathlib, sys
from edgepack.core.codec import as_json
from edgepack.runtimes.tflm import Interpreter
records = [Interpreter(pathlib.Path(path).read_bytes()).allocations() for path in sys.argv[1:]]
print(json.dumps(as_json(records)))
"""
START = """
import pathlib, sys
from tflite_micro import runtime
runtime.Interpreter.from_bytes(pathlib.Path(sys.argv[1]).read_bytes(), arena_size=int(sys.argv[2]))
"""


def allocations_of(*paths: Path) -> list[Allocations]:
    """Return TFLM's allocations for files, from a process of its own."""
    done = python("-c", ALLOCATIONS, *paths)
    assert done.returncode == 0, done.stderr
    return restore(list[Allocations], json.loads(done.stdout))


def tensor(*shape: int, dtype: str = "int8", data: bytes = b"", **fields: Any) -> Tensor:
    quant = QuantParams(scale=(0.5,), zero_point=(0,))
    return Tensor(name="t", shape=shape, dtype=dtype, quant=quant, data=data, **fields)


def layer(name: str, weights: tuple[int, ...], depth: int, channels: int) -> Model:
    """Build a model of one layer whose input is 8 x 8 values with ``depth`` channels."""
    tensors = (
        tensor(1, 8, 8, depth),
        tensor(*weights, data=b"\x01"),
        tensor(channels, dtype="int32", data=b"\x01"),
        tensor(1, 8, 8, channels),
    )
    operator = Operator(name=name, version=1, inputs=(0, 1, 2), outputs=(3,))
    graph = Graph(tensors=tensors, operators=(operator,), inputs=(0,), outputs=(3,))
    return Model(subgraphs=(graph,))


def measured(model: Model) -> Allocations:
    """Return the allocations that TFLM would measure if it is modelled exactly."""
    host = host_arena(model)
    return Allocations(head_bytes=host.planned + host.scratch, tail_bytes=host.persistent, kinds={})


def footprint(model: Model, kernels: str) -> Footprint:
    return compute_footprint(model, 1000, measured(model), kernels)


def test_figures_of_real_builds() -> None:
    done = python(ROOT / "scripts" / "footprint", mlperf_path(), "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == 21
    for kind, model, kernels, computed, measured_bytes in rows:
        limit = 1.03 if kind == "arena" else 1.1
        assert measured_bytes <= computed <= limit * measured_bytes, (kind, model, kernels)


def test_tflms_own_allocations_are_computed_to_the_byte(cnn: Bundle, pruned_digits: Bundle) -> None:
    paths = [
        bundle.folder / name
        for bundle in (cnn, pruned_digits)
        for name in ("float.tflite", "int8.tflite")
    ]
    for path, measured_here in zip(paths, allocations_of(*paths), strict=True):
        host = host_arena(read_tflite(path.read_bytes()))
        assert host.planned + host.scratch == measured_here.head_bytes, path
        assert host.persistent == measured_here.tail_bytes, path
        assert measured_here.kinds["TfLiteEvalTensor data"][1] > 0


def test_control_flow_and_unknown_data_are_bounded(models: Path) -> None:
    path = models / "loop.tflite"
    (measured_here,) = allocations_of(path)
    model = read_tflite(path.read_bytes())
    computed = compute_arena(model, measured_here, "cmsis-nn-dsp")
    assert computed.planned + computed.scratch >= measured_here.head_bytes
    assert any("control flow" in note for note in computed.notes)
    assert any("as large as on this host" in note for note in computed.notes)


def many_channels(tmp_path: Path) -> Path:
    scales = [0.1] * 640
    weights = Value((640, 4), "int8", scales, values=np.ones((640, 4)))
    bias = Value((640,), "int32", [0.01] * 640, values=np.ones(640))
    inputs = [Value((1, 4), "int8", 0.1), weights, bias]
    data = one_operator("FULLY_CONNECTED", inputs, [Value((1, 640), "int8", 0.1)], version=4)
    (tmp_path / "dense.tflite").write_bytes(data)
    return tmp_path / "dense.tflite"


def few_channels(_: Path) -> Path:
    return reference_model("ad")


@pytest.mark.parametrize("make", [few_channels, many_channels])
def test_tflm_starts_in_the_least_arena_and_not_in_less(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = make(tmp_path)
    host = host_arena(read_tflite(path.read_bytes()))
    assert host.least > host.total
    assert python("-c", START, path, host.least).returncode == 0
    assert python("-c", START, path, host.least - 32).returncode != 0


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("name", "weights", "depth", "channels"),
    [
        ("CONV_2D", lambda depth, channels: (channels, 3, 3, depth), 8, 16),
        ("CONV_2D", lambda depth, channels: (channels, 1, 1, depth), 8, 16),
        ("DEPTHWISE_CONV_2D", lambda depth, _: (1, 5, 5, depth), 16, 16),
        ("FULLY_CONNECTED", lambda depth, channels: (channels, depth), 6, 16),
    ],
)
def test_more_channels_need_no_less_memory(
    kernels: str, name: str, weights: Any, depth: int, channels: int
) -> None:
    before: Footprint | None = None
    for factor in (1, 2, 3, 8):
        scaled = depth * factor, channels * factor
        current = footprint(layer(name, weights(*scaled), *scaled), kernels)
        assert current.arena.least >= current.arena.total
        assert current.ram_bytes > current.arena.least
        assert before is None or current.ram_bytes >= before.ram_bytes
        before = current


def test_variables_are_kept_and_not_planned() -> None:
    plain = layer("FULLY_CONNECTED", (4, 8), 8, 4)
    state = tensor(1, 40, dtype="int16", is_variable=True)
    (graph,) = plain.subgraphs
    with_state = Model(subgraphs=(dataclasses.replace(graph, tensors=(*graph.tensors, state)),))
    first, second = (footprint(model, "reference").arena for model in (plain, with_state))
    assert second.planned == first.planned
    assert second.persistent >= first.persistent + 80


def test_unknown_allocations_count_as_on_this_host() -> None:
    model = layer("MY_KERNEL", (4, 8), 8, 4)
    known = measured(model)
    more = dataclasses.replace(
        known, head_bytes=known.head_bytes + 64, tail_bytes=known.tail_bytes + 320
    )
    plain, larger = (compute_footprint(model, 1000, each, "cmsis-nn") for each in (known, more))
    assert larger.arena.total == plain.arena.total + 64 + 320
    assert len(larger.arena.notes) == len(plain.arena.notes) + 2
    assert larger.notes == plain.notes
    assert any("MY_KERNEL" in note for note in larger.notes)
    assert larger.flash_bytes > footprint(layer("ADD", (4, 8), 8, 4), "cmsis-nn").flash_bytes


def test_int8_only_registrations_need_less_flash() -> None:
    model = layer("CONV_2D", (4, 3, 3, 8), 8, 4)
    for kernels in ("cmsis-nn-dsp", "cmsis-nn-mve"):
        int8_only = runtime_flash_bytes(model, kernels, int8_only=True)
        assert int8_only < runtime_flash_bytes(model, kernels)
    thumb1, thumb2 = (runtime_flash_bytes(model, each) for each in ("cmsis-nn", "cmsis-nn-dsp"))
    assert thumb1 > thumb2


def test_a_damaged_operator_is_reported() -> None:
    model = layer("CONV_2D", (4, 3, 3, 8), 8, 4)
    (graph,) = model.subgraphs
    incomplete = dataclasses.replace(graph.operators[0], inputs=(0,))
    damaged = Model(subgraphs=(dataclasses.replace(graph, operators=(incomplete,)),))
    allocations = Allocations(head_bytes=0, tail_bytes=0, kinds={})
    with pytest.raises(ModelError, match="tensors do not match an operator"):
        compute_footprint(damaged, 1000, allocations, "cmsis-nn-dsp")
