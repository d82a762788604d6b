"""Which layers a name pattern means, in a .tflite file, whose operators have no names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from edgepack.core.errors import ModelError
from edgepack.tflite.converter_names import fused
from edgepack.tflite.graph import Graph, Operator

_NEAR = 3


def assign_patterns(
    graph: Graph, default: str, layers: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """Tell how each operator of a float graph is quantized, by the name of its first output.

    ``layers`` pairs patterns with ``int8``, ``int16``, ``int4`` or ``float``; the last that
    matches counts, ``default`` where none does. A pattern means a run of whole components of a
    path: ``block_1`` and ``block_1/*`` mean ``model/block_1/conv/Conv2D``. An operator goes by the
    names of its outputs and of its weights. Raises :class:`ModelError` for a pattern that means
    none.
    """
    names = {_key(graph, operator): list(_runs(graph, operator)) for operator in graph.operators}
    assigned = dict.fromkeys(names, default)
    for pattern, wanted in layers:
        meant = [
            key for key, runs in names.items() if any(fnmatchcase(run, pattern) for run in runs)
        ]
        if not meant:
            raise ModelError(_unknown(pattern, [run for runs in names.values() for run in runs]))
        assigned |= dict.fromkeys(meant, wanted)
    return assigned


def _key(graph: Graph, operator: Operator) -> str:
    return graph.tensors[operator.outputs[0]].name


def _runs(graph: Graph, operator: Operator) -> Iterator[str]:
    """Give every name that a pattern may match; fused operators join theirs by semicolons."""
    weights = [
        index
        for index in operator.inputs
        if index >= 0 and graph.tensors[index].is_constant and graph.tensors[index].dtype[0] == "f"
    ]
    for index in (*operator.outputs, *weights):
        for path in fused(graph.tensors[index].name):
            parts = path.split("/")
            for start in range(len(parts)):
                for stop in range(start + 1, len(parts) + 1):
                    yield "/".join(parts[start:stop])


def _unknown(pattern: str, names: Sequence[str]) -> str:
    known = list(dict.fromkeys(names))
    # Patterns are told apart from names by their wildcards, which are no part of a likeness.
    near = difflib.get_close_matches(pattern.strip("*/"), known, n=_NEAR, cutoff=0.4)
    hint = (
        f"near it are {', '.join(near)}" if near else f"there are {', '.join(known[:_NEAR])}, ..."
    )
    return f"no layer is named {pattern!r}; {hint}"
