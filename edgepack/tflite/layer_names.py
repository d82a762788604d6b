"""Derive the names of Keras layers from the names of a .tflite file's tensors.

The converter joins the names of the operations that it fuses with semicolons, such as
``model/activation/Relu;model/conv2d/BiasAdd;model/conv2d/Conv2D1``: scopes of Keras layers, each
followed by the name of an operation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from edgepack.tflite.converter_names import split_fused_name
from edgepack.tflite.graph import Graph, Operator

_COMPUTES = re.compile(r"/(Conv\w*D\w*|conv\w*|depthwise|separable_conv\w*|MatMul|Einsum)[_\d]*$")

_DEPTHWISE = re.compile(r"/depthwise[_\d]*$")

_CONVERSIONS = ("DEQUANTIZE", "QUANTIZE")


def layer_names(graph: Graph) -> dict[int, str]:
    """Return a unique name for each tensor that an operator writes and each input, by index.

    A name is the scope of the Keras layer without that of the model: ``block_1/conv2d``. If several
    operators share a scope, as in an unrolled LSTM, the name of the operation is kept. Conversions
    between number formats leave the name of the scope to the layer.
    """
    paths = {
        index: _path(graph, operator, index)
        for operator in graph.operators
        for index in operator.outputs
    }
    deep = [path for path in paths.values() if len(path) > 1]
    if len({path[0] for path in deep}) == 1:  # the model's own name
        paths = {index: path[1:] if len(path) > 1 else path for index, path in paths.items()}
    short = {index: "/".join(path[:-1] or path) for index, path in paths.items()}
    conversions = {
        index
        for operator in graph.operators
        if operator.name in _CONVERSIONS
        for index in operator.outputs
    }
    computed = Counter(short[index] for index in paths if index not in conversions)
    every = Counter(short.values())
    names = {index: graph.tensors[index].name for index in graph.inputs}
    for index, path in paths.items():
        counts = every if index in conversions else computed
        names[index] = short[index] if counts[short[index]] == 1 else "/".join(path)
    return _distinct(names)


def number_duplicates(names: Iterable[str]) -> list[str]:
    """Append their position to the names that occur more than once.

    >>> number_duplicates(["x", "y", "x"])
    ['x#0', 'y', 'x#2']
    """
    listed = list(names)
    counts = Counter(listed)
    return [f"{name}#{i}" if counts[name] > 1 else name for i, name in enumerate(listed)]


def _path(graph: Graph, operator: Operator, index: int) -> list[str]:
    """Return the most specific part of a fused name, split at slashes.

    Falls back to the name of the operator's weights, since a model's output is not named so, and
    then to that of the operator.
    """
    weights = [graph.tensors[i].name for i in operator.inputs[1:2] if i >= 0]
    for name in (graph.tensors[index].name, *weights):
        parts = [part for part in split_fused_name(name) if "/" in part]
        if parts:
            computing = [part for part in parts if _COMPUTES.search(part)]
            if operator.name == "DEPTHWISE_CONV_2D":  # a layer with the same constants follows
                own = [part for part in computing if _DEPTHWISE.search(part)]
                computing = own or computing
            return (computing or parts)[-1].split("/")
    return [operator.name.lower()]


def _distinct(names: dict[int, str]) -> dict[int, str]:
    """Number the names that occur more than once, in the order of the graph."""
    counts = Counter(names.values())
    seen: Counter[str] = Counter()
    for index, name in names.items():
        if counts[name] > 1:
            seen[name] += 1
            names[index] = f"{name}#{seen[name]}"
    return names
