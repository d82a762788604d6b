"""Matches layer name patterns with the operators of a .tflite file, which have no names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
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
    The exact name of a layer means that layer, before others of that name in nested models, and
    before operations of that name: with ``model/add/add``, ``add`` does not match
    ``model/backbone/add/add`` or ``model/add_1/add``.
    Raises :class:`ModelError` for a pattern without a match.
    """
    reported = layer_names(graph)
    names = {
        _key(graph, operator): [
            *_runs(_paths(graph, (*operator.outputs, *_weights(graph, operator)))),
            *(reported[index] for index in operator.outputs),
        ]
        for operator in graph.operators
    }
    scopes = {_key(graph, operator): _scopes(graph, operator) for operator in graph.operators}
    assigned = dict.fromkeys(names, default)
    for pattern, scheme in layers:
        matches = _of_layer(pattern, scopes) or [
            key for key, runs in names.items() if any(fnmatchcase(run, pattern) for run in runs)
        ]
        if not matches:
            raise ModelError(_no_match(pattern, [run for runs in names.values() for run in runs]))
        assigned |= dict.fromkeys(matches, scheme)
    return assigned


def _key(graph: Graph, operator: Operator) -> str:
    return graph.tensors[operator.outputs[0]].name


def _of_layer(name: str, scopes: dict[str, list[list[str]]]) -> list[str]:
    """Return the operators of a layer of the model, or else those of the nested layers named so."""
    first = {scope[0] for each in scopes.values() for scope in each}
    start = 1 if len(first) == 1 else 0  # the model's own name
    parts = name.split("/")
    outer = [
        key
        for key, each in scopes.items()
        if any(scope[start : start + len(parts)] == parts for scope in each)
    ]
    return outer or [key for key, each in scopes.items() if name in _runs(each)]


def _scopes(graph: Graph, operator: Operator) -> list[list[str]]:
    """Return the paths of the layers that an operator belongs to.

    They are those of its outputs or, as a model's output is not named so, of its weights.
    """
    for indices in (operator.outputs, _weights(graph, operator)):
        scopes = [path[:-1] for path in _paths(graph, indices) if len(path) > 1]
        if scopes:
            return scopes
    return []


def _paths(graph: Graph, indices: Iterable[int]) -> list[list[str]]:
    """Return the paths in tensors' names; fused operators join them by semicolons."""
    names = [graph.tensors[index].name for index in indices]
    return [path.split("/") for name in names for path in split_fused_name(name)]


def _weights(graph: Graph, operator: Operator) -> list[int]:
    return [
        index
        for index in operator.inputs
        if index >= 0 and graph.tensors[index].is_constant and graph.tensors[index].dtype[0] == "f"
    ]


def _runs(paths: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield all consecutive components of paths."""
    for parts in paths:
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
