"""``edgepack inspect``: the contents of .tflite files of any kind."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Edgepack, python, reference_model
from tiny import Tiny, Value, one_operator

from edgepack import InspectConfig, InspectReport, inspect
from edgepack.core.errors import ModelError
from edgepack.report.text.inspect import render_inspection
from edgepack.tflite.macs import macs
from edgepack.tflite.operator_calls import OperatorCall
from edgepack.tflite.parser import read_tflite

WIDTH = 100


def inspected(data: bytes, folder: Path) -> InspectReport:
    (folder / "model.tflite").write_bytes(data)
    return inspect(InspectConfig(model=folder / "model.tflite"))


def text(report: InspectReport) -> str:
    """Render a report, and check that it fits a terminal and can be written as JSON."""
    json.dumps(report.to_dict(), allow_nan=False)
    written = render_inspection(report, tensors=True)
    assert max(map(len, written.splitlines())) <= WIDTH, written
    assert written.isprintable() or all(line.isprintable() for line in written.splitlines())
    return written


# name: multiply-accumulates, weights, activations at the peak; ../shared/facts/mcu.md
MEASURED = {
    "kws": (2_656_768, 22_016, 16_000),
    "ic": (12_501_632, 77_360, 49_152),
    "ad": (264_192, 264_192, 768),
}


@pytest.mark.parametrize("name", MEASURED)
def test_counts_of_real_models_equal_measured_values(name: str) -> None:
    report = inspect(InspectConfig(model=reference_model(name)))
    (graph,) = report.graphs
    assert (report.macs, report.weights, graph.peak.bytes) == MEASURED[name]
    assert report.artifact.bytes == reference_model(name).stat().st_size
    assert report.constant_bytes == sum(layer.constant_bytes for layer in graph.layers)
    assert max(layer.memory_bytes for layer in graph.layers) == graph.peak.bytes
    alive = sum(graph.tensors[index].bytes for index in graph.peak.tensors)
    assert alive == graph.peak.bytes
    text(report)


def test_a_residual_block_keeps_an_activation_alive() -> None:
    report = inspect(InspectConfig(model=reference_model("ic")))
    (graph,) = report.graphs
    assert graph.peak.layer is not None
    assert graph.layers[graph.peak.layer].name == "conv2d_2"
    assert graph.layers[graph.peak.layer].waiting_bytes == 16_384
    written = text(report)
    assert " 3  conv2d_2           49,152  ###########################=============" in written


def test_the_command_shows_a_model_in_a_moment_and_as_json(edgepack: Edgepack) -> None:
    path = reference_model("kws")
    started = time.monotonic()
    shown = edgepack("inspect", path)
    assert time.monotonic() - started < 5  # 0.6 s where nothing else runs
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "MACs       2,656,768" in shown.stdout.splitlines()
    assert "activation" not in shown.stdout.replace("of activations", "")
    assert "13-13" in edgepack("inspect", path, "--tensors").stdout
    found = json.loads(edgepack("inspect", path, "--json").stdout)
    assert (found["schema"], found["model"]) == (1, "reference_int8.tflite")
    assert found["graphs"][0]["layers"][0]["options"]["stride_w"] == 2


def test_the_readme_shows_what_is_printed(tmp_path: Path) -> None:
    """The model of the example is not available, so only the parts for any model are checked."""
    readme = (ROOT / "README.md").read_text()
    value = Value((1, 4), "int8", 0.1)
    written = text(inspected(one_operator("ABS", [value], [value]), tmp_path))
    legend = written[written.index("output  shape") :]
    assert f"\n{legend}\n```\n" in readme
    assert "layer operator output type scale zero bytes MACs zeros" in " ".join(readme.split())


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(one_operator("ABS", [Value((1, 4))], [Value((1, 4))]))
    done = python(
        "-c",
        "import sys, edgepack\nfrom pathlib import Path\n"
        f"edgepack.inspect(edgepack.InspectConfig(model=Path({str(path)!r})))\n"
        "sys.exit(str({'tensorflow', 'keras', 'tf_keras', 'ai_edge_litert.interpreter'}"
        " & set(sys.modules)))",
    )
    assert done.stderr.strip() == "set()"


CASES: dict[str, tuple[str, list[tuple[int, ...] | None], tuple[int, ...], dict[str, Any], int]] = {
    # operator, shapes of the inputs, of the output, options, multiply-accumulates
    "conv": ("CONV_2D", [(1, 8, 8, 3), (16, 3, 3, 3), (16,)], (1, 8, 8, 16), {}, 64 * 16 * 27),
    "grouped": ("CONV_2D", [(1, 8, 8, 4), (16, 3, 3, 2)], (1, 8, 8, 16), {}, 64 * 16 * 18),
    "depthwise": ("DEPTHWISE_CONV_2D", [(1, 8, 8, 4), (1, 3, 3, 8)], (1, 4, 4, 8), {}, 128 * 9),
    "dense": ("FULLY_CONNECTED", [(2, 10), (5, 10), None], (2, 5), {}, 100),
    "dense, many": ("FULLY_CONNECTED", [(1, 7, 10), (5, 10)], (1, 7, 5), {}, 350),
    "transposed": (
        *("TRANSPOSE_CONV", [(4,), (6, 3, 3, 2), (1, 4, 4, 2)], (1, 8, 8, 6)),
        *({}, 16 * 2 * 6 * 9),
    ),
    "3d": ("CONV_3D", [(1, 4, 4, 4, 2), (2, 3, 3, 2, 5)], (1, 4, 4, 4, 5), {}, 64 * 5 * 36),
    "3d transposed": (
        *("CONV_3D_TRANSPOSE", [(5,), (2, 2, 2, 5, 3), (1, 2, 2, 2, 3)], (1, 4, 4, 4, 5)),
        *({}, 8 * 3 * 8 * 5),
    ),
    "matmul": ("BATCH_MATMUL", [(4, 2, 3), (4, 3, 5)], (4, 2, 5), {}, 4 * 2 * 3 * 5),
    "matmul, transposed": (
        *("BATCH_MATMUL", [(4, 3, 2), (4, 3, 5)], (4, 2, 5)),
        *({"table": "BatchMatMulOptions", "adjX": True}, 4 * 2 * 3 * 5),
    ),
    "svdf": (
        *("SVDF", [(2, 10), (8, 10), (8, 4), None, (2, 32)], (2, 4)),
        *({}, 2 * 8 * (10 + 4)),
    ),
    "rnn": ("UNIDIRECTIONAL_SEQUENCE_RNN", [(1, 6, 3), (4, 3), (4, 4)], (1, 6, 4), {}, 6 * 28),
    "lstm": (
        *("UNIDIRECTIONAL_SEQUENCE_LSTM", [(1, 20, 8), *[(16, 8)] * 4, *[(16, 16)] * 4]),
        *((1, 20, 16), {}, 20 * 4 * 16 * 24),
    ),
    "basic lstm": ("LSTM", [(1, 3), (1, 4), (16, 7), (16,), (1, 4)], (1, 4), {}, 16 * 7),
    "no product": ("ADD", [(1, 4), (1, 4)], (1, 4), {}, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_multiply_accumulates_equal_those_of_the_loops(case: str) -> None:
    operator, input_shapes, output_shape, options, expected = CASES[case]
    inputs = [Value(shape) if shape is not None else None for shape in input_shapes]
    graph = read_tflite(one_operator(operator, inputs, [Value(output_shape)], **options)).main
    assert macs(OperatorCall.of(graph, graph.operators[0])) == expected


@pytest.mark.parametrize(
    ("operator", "input_shapes"),
    [("CONV_2D", [(1, 4), (2,)]), ("RNN", []), ("MINE", [(1, 4)])],
)
def test_unknown_multiply_accumulates_are_none(
    operator: str, input_shapes: list[tuple[int, ...]], tmp_path: Path
) -> None:
    data = one_operator(operator, [Value(shape) for shape in input_shapes], [Value((1, 4))])
    report = inspected(data, tmp_path)
    assert report.graphs[0].layers[0].macs is None
    assert f"MACs of {operator} are unknown, and not counted" in text(report)


@pytest.mark.parametrize(
    ("weights", "zeros", "constant_bytes"),
    [
        (Value((2, 4), "float32", values=[0, 1, 0, 1, 0, 1, 1, 1]), 3 / 8, 32),
        (Value((2, 4), "int8", [0.1, 0.2], values=[0, 1, 0, 1, 0, 1, 1, 1]), 3 / 8, 8),
        (Value((2, 4), "uint8", 0.1, 128, values=[0, 1, 128, 1, 0, 1, 1, 1]), 1 / 8, 8),
        (Value((1, 7), "int4", 0.1, values=[0, 1, 0, 1, 0, 1, 0]), 4 / 7, 4),
        (Value((2, 4), "int8", 0.1, values=[0, 0, 0, 0, 0, 0, 0, 9]), 7 / 8, 8),
    ],
    ids=["float", "int8", "uint8", "int4", "pruned"],
)
def test_zeros_are_the_weights_that_represent_zero(
    weights: Value, zeros: float, constant_bytes: int, tmp_path: Path
) -> None:
    data = one_operator("FULLY_CONNECTED", [Value((1, 4)), weights], [Value((1, 2))])
    report = inspected(data, tmp_path)
    (layer,) = report.graphs[0].layers
    assert (layer.zeros, layer.constant_bytes) == (zeros, constant_bytes)
    assert report.zeros == zeros
    text(report)


def test_weights_that_are_widened_first_belong_to_the_layer_that_uses_them(tmp_path: Path) -> None:
    tiny = Tiny()
    x = tiny.tensor("x", Value((1, 4)))
    half = tiny.tensor("half", Value((2, 4), "float16", values=[0, 1, 2, 3, 4, 5, 6, 7]))
    wide, y = tiny.tensor("wide", Value((2, 4))), tiny.tensor("y", Value((1, 2)))
    tiny.operator("DEQUANTIZE", [half], [wide])
    tiny.operator("FULLY_CONNECTED", [x, wide, -1], [y])
    report = inspected(tiny.to_bytes([x], [y]), tmp_path)
    widening, dense = report.graphs[0].layers
    assert (widening.constant_bytes, dense.constant_bytes) == (0, 16)
    assert (dense.zeros, report.weights, dense.memory_bytes) == (1 / 8, 8, 16 + 32 + 8)
    text(report)


def test_constants_that_layers_share_count_once(tmp_path: Path) -> None:
    tiny = Tiny()
    weights = tiny.tensor("w", Value((4, 4), values=range(16)))
    a, b, c = (tiny.tensor(name, Value((1, 4))) for name in "abc")
    tiny.operator("FULLY_CONNECTED", [a, weights, -1], [b])
    tiny.operator("FULLY_CONNECTED", [b, weights, -1], [c])
    report = inspected(tiny.to_bytes([a], [c]), tmp_path)
    assert [layer.constant_bytes for layer in report.graphs[0].layers] == [64, 0]
    assert (report.constant_bytes, report.weights, report.macs) == (64, 16, 32)


def branching(*, then: int = 1) -> bytes:
    """Return a file whose first graph runs one of two others."""
    tiny = Tiny()
    x, y = (tiny.tensor(name, Value((1, 100), "int8", 0.1)) for name in "xy")
    condition = tiny.tensor("condition", Value((), "bool"))
    options = {"table": "IfOptions", "thenSubgraphIndex": then, "elseSubgraphIndex": 2}
    tiny.operator("IF", [condition, x], [y], **options)
    tiny.next_graph([condition, x], [y])
    for width in (100, 300):
        a, c = (tiny.tensor(name, Value((1, 100), "int8", 0.1)) for name in "ac")
        b = tiny.tensor("b", Value((1, width), "int8", 0.1))
        tiny.operator("CONCATENATION", [a], [b])
        tiny.operator("RELU", [b], [c])
        if width == 100:
            tiny.next_graph([a], [c])
    return tiny.to_bytes([a], [c])


def test_control_flow_needs_the_memory_of_its_largest_graph(tmp_path: Path) -> None:
    report = inspected(branching(), tmp_path)
    main, _, wide = report.graphs
    assert (main.layers[0].runs, wide.peak.bytes) == ((1, 2), 400)
    assert (main.peak.bytes, main.peak.called_bytes) == (201 + 400, 400)
    written = text(report)
    assert "1  if     IF >1 >2 " in written
    assert "the graphs that it runs 400" in written
    assert "control flow: the MACs of each graph are counted once" in written


@pytest.mark.parametrize(("then", "why"), [(0, "in a cycle"), (7, "graph that does not exist")])
def test_control_flow_that_leads_nowhere_is_damage(then: int, why: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"model\.tflite: damaged .tflite file: .*{why}"):
        inspected(branching(then=then), tmp_path)


def test_variables_are_always_alive_and_scratch_memory_while_it_is_used(tmp_path: Path) -> None:
    tiny = Tiny()
    x, y, z = (tiny.tensor(name, Value((1, 4))) for name in "xyz")
    state = tiny.tensor("state", Value((1, 10), is_variable=True))
    scratch = tiny.tensor("scratch", Value((1, 25)))
    tiny.operator("ethos-u", [x, scratch], [y])
    tiny.operator("ADD", [y, state], [z])
    report = inspected(tiny.to_bytes([x], [z]), tmp_path)
    (graph,) = report.graphs
    first, second = graph.layers
    assert (first.memory_bytes, first.waiting_bytes) == (16 + 100 + 16 + 40, 40)
    assert (second.memory_bytes, second.waiting_bytes) == (16 + 16 + 40, 0)
    assert (graph.start_bytes, graph.variable_bytes) == (16 + 40, 40)
    assert "variables, which keep 40 bytes between runs" in text(report)


def test_dynamic_dimensions_are_marked(tmp_path: Path) -> None:
    value = Value((1, 8), "int8", 0.5, -3, signature=(-1, 8))
    report = inspected(one_operator("ABS", [value], [value]), tmp_path)
    assert report.graphs[0].tensors[0].signature == (None, 8)
    written = text(report)
    (line,) = [line.split() for line in written.splitlines() if line.startswith("input ")]
    assert line == ["input", "in0", "?x8", "int8", "0.5", "-3", "-62.5", "to", "65"]
    assert "note: dynamic dimensions (?)" in written


def test_a_file_without_operators_is_shown(tmp_path: Path) -> None:
    tiny = Tiny()
    x = tiny.tensor("x", Value((2, 3)))
    report = inspected(tiny.to_bytes([x], [x]), tmp_path)
    assert (report.graphs[0].peak.bytes, report.graphs[0].peak.layer) == (24, None)
    assert "memory     24 B of activations at the peak" in text(report)
    assert "no inputs and no outputs" in text(inspected(Tiny().to_bytes([], []), tmp_path))


def test_files_that_other_commands_refuse_are_shown(tmp_path: Path) -> None:
    per_channel = Value((1, 3), "int8", [0.1, 0.2, 0.3], axis=1)
    blockwise = Value((2, 3), "int8", values=[0] * 6, is_blockwise=True)
    sparse = Value((2, 3), "float32", values=[0, 0, 0, 0, 5, 6], is_sparse=True)
    for weights in (blockwise, sparse):
        data = one_operator("FULLY_CONNECTED", [per_channel, weights], [Value((1, 2))])
        written = text(inspected(data, tmp_path))
        assert "3 scales" in written
        assert ("blockwise" in written) == weights.is_blockwise
        assert ("float32 sparse" in written) == weights.is_sparse


def test_nan_scales_do_not_break_the_json(tmp_path: Path) -> None:
    odd = Value((1, 3), "float32", float("nan"))
    report = inspected(one_operator("ABS", [odd], [odd]), tmp_path)
    assert report.to_dict()["graphs"][0]["tensors"][0]["scale"] == [None]
    text(report)


def test_a_model_of_many_layers_with_long_names_fits_a_terminal(tmp_path: Path) -> None:
    tiny = Tiny()
    x = last = tiny.tensor("\x1b[31mred" + "x" * 200, Value((1, 1000), "int8", 0.1))
    for number in range(500):
        name = f"model/{'deep/' * 20}block_{number}/add"
        output = tiny.tensor(name, Value((1, 1000 + 1000 * (number == 321)), "int8", 0.1))
        tiny.operator("ADD", [last, x], [output])
        last = output
    report = inspected(tiny.to_bytes([x], [last]), tmp_path)
    written = text(report)
    assert "\x1b" not in written
    plot = [line for line in written.splitlines() if line.endswith("#")]
    assert len(plot) == 39
    (peak,) = [line for line in plot if line.endswith("#" * 40)]
    assert peak.startswith("313-325  ...")
    assert "deep/block_321" in peak


def test_a_long_name_of_a_custom_operator_is_shortened_everywhere(tmp_path: Path) -> None:
    value = Value((1, 4))
    written = text(inspected(one_operator("Long" * 2000 + "End", [value], [value]), tmp_path))
    assert "operators  1 ...ngLong" in written
    assert written.count("LongEnd v1 (custom)") == 1
    assert "LongLongEnd are unknown" in written


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_names_are_printed_in_every_encoding(
    encoding: str, tmp_path: Path, edgepack: Edgepack
) -> None:
    path = tmp_path / "\x1b[31mred.tflite"
    value = Value((1, 4))
    path.write_bytes(one_operator("\u4e2d\u6587", [value], [value]))
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    shown = edgepack("inspect", path, env=environment, encoding="utf-8")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("\\x1b[31mred.tflite  ")
    # click treats ASCII as a misconfiguration, and writes UTF-8
    assert {"cp1252": r"\u4e2d\u6587", "ascii": "\u4e2d\u6587"}[encoding] in shown.stdout


@pytest.mark.parametrize("content", [b"", b"nothing", None])
def test_bad_files_end_with_one_line(
    content: bytes | None, tmp_path: Path, edgepack: Edgepack
) -> None:
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    done = edgepack("inspect", path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {path}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["missing", "a" * 300, ""])
def test_paths_that_do_not_exist_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"; (check the path|give a \.tflite file)"):
        inspect(InspectConfig(model=f"{tmp_path}/{name}"))


def test_damaged_files_are_refused_or_shown(tmp_path: Path) -> None:
    data = one_operator(
        "CONV_2D",
        [Value((1, 4, 4, 2), "int8", 0.1), Value((2, 1, 1, 2), "int8", [0.1] * 2, values=[1] * 4)],
        [Value((1, 4, 4, 2), "int8", 0.1)],
        table="Conv2DOptions",
    )
    random = np.random.default_rng(7)
    refused = 0
    for _ in range(300):
        broken = bytearray(data)
        for place in random.integers(8, len(data), 3):
            broken[place] = random.choice([0, 1, 2, 127, 128, 255])
        try:
            text(inspected(bytes(broken), tmp_path))
        except ModelError:
            refused += 1
    assert 0 < refused < 300
