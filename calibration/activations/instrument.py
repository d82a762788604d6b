"""A float .tflite whose activations can be read, truthfully, several samples at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgepack.tflite.graph import Graph
from edgepack.tflite.parser import read_tflite
from edgepack.tflite.rewrite import Rewrite


@dataclass(frozen=True, kw_only=True)
class Instrumented:
    """A model that gives all its float activations.

    ``activations`` has the index of each by its name; ``#INDEX`` tells apart those of one name.
    """

    tflite: bytes
    activations: dict[str, int]


def instrument(float_tflite: bytes) -> Instrumented:
    """Make every activation an output, so that no operator writes over it.

    Shapes that fix the batch at 1 are left open, so that the inputs can be resized.
    """
    rewrite = Rewrite(float_tflite)
    graph = read_tflite(float_tflite).main
    found = activations(graph)
    rewrite.give([*graph.outputs, *(index for index in found if index not in graph.outputs)])
    _open_batches(rewrite)
    return Instrumented(tflite=rewrite.to_bytes(), activations=activation_names(graph, found))


def activations(graph: Graph) -> list[int]:
    """Find what a float model is given and computes in float32, by index."""
    made = [*graph.inputs, *(index for operator in graph.operators for index in operator.outputs)]
    return [index for index in dict.fromkeys(made) if graph.tensors[index].dtype == "float32"]


def activation_names(graph: Graph, indexes: Iterable[int]) -> dict[str, int]:
    """Name tensors by their names in the file, made unique with ``#INDEX``."""
    names: dict[str, int] = {}
    for index in indexes:
        name = graph.tensors[index].name
        names[f"{name}#{index}" if name in names else name] = index
    return names


def _open_batches(rewrite: Rewrite) -> None:
    """Let RESHAPE find the batch: a first size of 1 becomes -1, if no other size is open."""
    for operator in rewrite.graph.operators:
        if rewrite.name(operator) != "RESHAPE":
            continue
        sizes = rewrite.values(int(operator.inputs[1]))
        if sizes is not None and sizes.ndim == 1 and sizes[0] == 1 and (sizes != -1).all():
            opened = rewrite.add_tensor(
                "shape", [sizes.size], "int32", values=np.array([-1, *sizes[1:]], np.int32)
            )
            operator.inputs = [int(operator.inputs[0]), opened]
            operator.builtinOptions = None  # the shape there would be the old one
            operator.builtinOptionsType = schema.BuiltinOptions.NONE
