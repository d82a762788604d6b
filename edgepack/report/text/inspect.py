"""The report of ``edgepack inspect`` as plain text: inputs, outputs, layers, memory, notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil

from edgepack.core.printable import printable
from edgepack.report.data.inspect import (
    GraphInspection,
    InspectReport,
    LayerInspection,
    TensorInspection,
)
from edgepack.report.format.text_table import (
    NONE,
    WIDTH,
    cut_start,
    hanging_paragraph,
    list_names,
    note_paragraphs,
    text_table,
)

_NAME = 40
_MIN_NAME = 12
_OPERATOR = 20
_ROWS = 40
_BAR = 40
_UNBROKEN = "\u00a0"  # names have none: it is not printable
_SIGNATURE = ["", "name", "shape", "type", "scale", "zero point", "real values"]
_LAYERS = ["layer", "operator", "output", "type", "scale", "zero", "bytes", "MACs", "zeros"]
_TENSORS = ["tensor", "role", "alive", "shape", "type", "bytes", "scale", "zero", "zeros"]
_LEGEND = """\
output  shape, type, scale and zero point of the layer's output
bytes   of constants in the file, in the row of the first layer that uses them
MACs    multiply-accumulates of convolutions, dense and recurrent layers, matrix products
zeros   among the layer's weights
memory  bytes of activations while the layer runs; of several layers, the one that needs most
        #: inputs and outputs of the layer; =: kept for a later layer
        of the model alone: an interpreter's arena is larger; edgepack validate reports it"""


def render_inspection(report: InspectReport, *, tensors: bool) -> str:
    """Return an inspection as plain text, with a table of all tensors if ``tensors``."""
    parts = [_head(report)]
    for number, graph in enumerate(report.graphs):
        title = f"graph {number}\n\n" if len(report.graphs) > 1 else ""
        rows = [*_signature_rows(graph)]
        parts.append(
            title + (_fitted([_SIGNATURE, *rows], left=2) if rows else "no inputs and no outputs")
        )
        if graph.layers:
            parts += [_layers(graph), _operators(graph), _memory(graph)]
        if tensors:
            parts.append(_tensors(graph))
    if any(graph.layers for graph in report.graphs):
        parts.append(_LEGEND)
    parts.append(note_paragraphs(report.notes))
    return "\n\n".join(filter(None, parts))


def _head(report: InspectReport) -> str:
    size, constants = report.artifact.bytes, report.constant_bytes
    zeros = "" if report.zeros is None else f", {report.zeros:.1%} of them zero"
    return "\n".join(
        [
            f"{printable(report.model)}  {size:,} B",
            "",
            f"constants  {constants:,} B; structure, names and metadata {size - constants:,} B",
            f"weights    {report.weights:,}{zeros}",
            f"MACs       {report.macs:,}",
            f"memory     {report.graphs[0].peak.bytes:,} B of activations at the peak",
        ]
    )


def _signature_rows(graph: GraphInspection) -> Iterator[list[str]]:
    """Return a row for each input and output of a graph."""
    for word, indices in (("input ", graph.inputs), ("output", graph.outputs)):
        for index in indices:
            tensor = graph.tensors[index]
            real = tensor.real_range
            yield [
                word,
                tensor.name,
                _shape(tensor),
                tensor.dtype,
                *_quantization(tensor),
                f"{real[0]:.4g} to {real[1]:.4g}" if real else NONE,
            ]


def _layers(graph: GraphInspection) -> str:
    """Return a table with a row for each operator, and the sums."""
    rows = [
        [str(number), layer.name, *_cells(graph, layer)]
        for number, layer in enumerate(graph.layers, 1)
    ]
    total = [
        *["", "total", "", "", "", "", ""],
        f"{sum(layer.constant_bytes for layer in graph.layers):,}",
        f"{sum(layer.macs or 0 for layer in graph.layers):,}",
        "",
    ]
    return _fitted([["", *_LAYERS], *rows, total], left=3)


def _cells(graph: GraphInspection, layer: LayerInspection) -> list[str]:
    output = graph.tensors[layer.outputs[0]] if layer.outputs else None
    more = f" +{len(layer.outputs) - 1}" if len(layer.outputs) > 1 else ""
    return [
        cut_start(layer.operator, _OPERATOR) + "".join(f" >{number}" for number in layer.runs),
        _shape(output) + more if output else NONE,
        output.dtype if output else NONE,
        *(_quantization(output) if output else [NONE, NONE]),
        f"{layer.constant_bytes:,}",
        NONE if layer.macs is None else f"{layer.macs:,}",
        NONE if layer.zeros is None else f"{layer.zeros:.1%}",
    ]


def _operators(graph: GraphInspection) -> str:
    """Count the operators by name and version."""
    counts = Counter((layer.operator, layer.version, layer.is_custom) for layer in graph.layers)
    named = (
        _unbroken(f"{count} {cut_start(name, _NAME)} v{version}{' (custom)' if is_custom else ''}")
        for (name, version, is_custom), count in counts.items()
    )
    return _hanging("operators  ", ", ".join(named))


def _memory(graph: GraphInspection) -> str:
    """Plot the activations alive while each layer runs, in at most ``_ROWS`` rows.

    A row of several layers shows the one that needs most.
    """
    count, peak = len(graph.layers), graph.peak.bytes
    layers_per_row = ceil(count / _ROWS)
    rows, bars = [], []
    for start in range(0, count, layers_per_row):
        stop = min(start + layers_per_row, count)
        most = max(graph.layers[start:stop], key=lambda layer: layer.memory_bytes)
        waiting = most.waiting_bytes * _BAR // (peak or 1)
        own = most.memory_bytes * _BAR // (peak or 1) - waiting
        place = str(stop) if layers_per_row == 1 else f"{start + 1}-{stop}"
        rows.append([place, most.name, f"{most.memory_bytes:,}"])
        bars.append("#" * own + "=" * waiting)
    room = WIDTH - _BAR - 2
    lines = _fitted([["", "layer", "memory"], *rows], left=2, width=room).splitlines()
    plot = [f"{line}  {bar}".rstrip() for line, bar in zip(lines, ["", *bars], strict=True)]
    return "\n".join([*plot, "", _peak(graph)])


def _peak(graph: GraphInspection) -> str:
    """Return where the peak is, and which tensors are alive there."""
    peak = graph.peak
    names = {index: layer.name for layer in graph.layers for index in layer.outputs}
    alive = []
    for index in peak.tensors:
        tensor = graph.tensors[index]
        alive.append(f"{cut_start(names.get(index, tensor.name), _NAME)} {tensor.bytes:,}")
    if peak.called_bytes:
        alive.insert(0, f"the graphs that it runs {peak.called_bytes:,}")
    where = "before the first layer"
    if peak.layer is not None:
        where = f"at {peak.layer + 1} {cut_start(graph.layers[peak.layer].name, _NAME)}"
    tensors = list_names([_unbroken(each) for each in alive]) or "nothing"
    return _hanging("peak  ", f"{peak.bytes:,} bytes {where}: {tensors}")


def _tensors(graph: GraphInspection) -> str:
    """Return a table with a row for each tensor."""
    rows = [
        [
            str(tensor.index),
            tensor.name,
            tensor.role,
            NONE if tensor.first_step is None else f"{tensor.first_step}-{tensor.last_step}",
            _shape(tensor),
            f"{tensor.dtype}{' sparse' if tensor.is_sparse else ''}",
            f"{tensor.bytes:,}",
            *_quantization(tensor),
            NONE if tensor.zeros is None else f"{tensor.zeros:.1%}",
        ]
        for tensor in graph.tensors
    ]
    legend = "alive  from layer to layer; 0 is before the first"
    return f"{_fitted([['', *_TENSORS], *rows], left=3)}\n\n{legend}"


def _unbroken(item: str) -> str:
    """Keep :func:`_hanging` from breaking an item at the end of a line."""
    return item.replace(" ", _UNBROKEN)


def _hanging(word: str, text: str) -> str:
    return hanging_paragraph(word, text).replace(_UNBROKEN, " ")


def _fitted(rows: Sequence[Sequence[str]], left: int, width: int = WIDTH) -> str:
    """Align numbered rows as :func:`text_table` does, with names cut to fit the width."""
    places = [max(len(row[0]) for row in rows)]
    others = [max(len(row[column]) for row in rows) for column in range(2, len(rows[0]))]
    used = sum(places + others) + 2 * (len(others) + 1)
    room = max(_MIN_NAME, width - used)
    return text_table(
        [[place.rjust(places[0]), cut_start(name, room), *cells] for place, name, *cells in rows],
        left,
    )


def _shape(tensor: TensorInspection) -> str:
    sizes = tensor.signature if len(tensor.signature) == len(tensor.shape) else tensor.shape
    return "x".join("?" if size is None else str(size) for size in sizes) or "scalar"


def _quantization(tensor: TensorInspection) -> list[str]:
    """Return the cells of scale and zero point."""
    if tensor.is_blockwise:
        return ["blockwise", NONE]
    if len(tensor.scale) > 1:
        return [f"{len(tensor.scale)} scales", str(tensor.zero_point[0])]
    zero_points = map(str, tensor.zero_point)
    return [f"{tensor.scale[0]:.4g}", next(zero_points, NONE)] if tensor.scale else [NONE, NONE]
