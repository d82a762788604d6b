"""Matches layer name patterns with the operators of a .tflite file, which have no names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from edgepack.core.errors import ModelError
from edgepack.tflite.converter_names import split_fused_name
from edgepack.tflite.graph import Graph, Operator
from edgepack.tflite.layer_names import layer_names

_SUGGESTIONS = 3


def assign_patterns(
    graph: Graph, default: str, layers: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """Return how each operator of a float graph is quantized, by the name of its first output.

    ``layers`` pairs patterns with ``int8``, ``int16``, ``int4`` or ``float``; the last match
    applies, or ``default`` without one. A pattern matches consecutive whole components of a path:
    ``block_1`` and ``block_1/*`` match ``model/block_1/conv/Conv2D``. The paths of an operator are
    the names of its outputs and of its weights; its layer name, as reports print it, also matches.
    Raises :class:`ModelError` for a pattern without a match.
    """
    reported = layer_names(graph)
    names = {
        _key(graph, operator): [*_runs(graph, operator), *(reported[i] for i in operator.outputs)]
        for operator in graph.operators
    }
    assigned = dict.fromkeys(names, default)
    for pattern, scheme in layers:
        matches = [
            key for key, runs in names.items() if any(fnmatchcase(run, pattern) for run in runs)
        ]
        if not matches:
            raise ModelError(_no_match(pattern, [run for runs in names.values() for run in runs]))
        assigned |= dict.fromkeys(matches, scheme)
    return assigned


def _key(graph: Graph, operator: Operator) -> str:
    return graph.tensors[operator.outputs[0]].name


def _runs(graph: Graph, operator: Operator) -> Iterator[str]:
    """Yield every name that a pattern may match; fused operators join names by semicolons."""
    weights = [
        index
        for index in operator.inputs
        if index >= 0 and graph.tensors[index].is_constant and graph.tensors[index].dtype[0] == "f"
    ]
    for index in (*operator.outputs, *weights):
        for path in split_fused_name(graph.tensors[index].name):
            parts = path.split("/")
            for start in range(len(parts)):
                for stop in range(start + 1, len(parts) + 1):
                    yield "/".join(parts[start:stop])


def _no_match(pattern: str, names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    # Wildcards would reduce the similarity with names.
    similar = difflib.get_close_matches(pattern.strip("*/"), unique, n=_SUGGESTIONS, cutoff=0.4)
    hint = (
        f"similar names are {', '.join(similar)}"
        if similar
        else f"there are {', '.join(unique[:_SUGGESTIONS])}, ..."
    )
    return f"no layer is named {pattern!r}; {hint}"
