"""Instrumentation of a float .tflite so that all activations can be read, also in batches."""

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
    """A model that outputs all its float32 activations.

    ``activations`` has their tensor indices by name; ``#INDEX`` makes duplicate names unique.
    """

    tflite: bytes
    activations: dict[str, int]


def instrument(float_tflite: bytes) -> Instrumented:
    """Make every activation an output, so that its memory is not reused.

    Shapes that fix the batch at 1 are made dynamic, so that the inputs can be resized.
    """
    rewrite = Rewrite(float_tflite)
    graph = read_tflite(float_tflite).main
    indexes = find_activations(graph)
    rewrite.set_outputs(
        [*graph.outputs, *(index for index in indexes if index not in graph.outputs)]
    )
    _open_batches(rewrite)
    return Instrumented(tflite=rewrite.to_bytes(), activations=activation_names(graph, indexes))


def find_activations(graph: Graph) -> list[int]:
    """Return the indices of a float model's inputs and computed tensors that are float32."""
    computed = (index for operator in graph.operators for index in operator.outputs)
    indexes = dict.fromkeys([*graph.inputs, *computed])
    return [index for index in indexes if graph.tensors[index].dtype == "float32"]


def activation_names(graph: Graph, indexes: Iterable[int]) -> dict[str, int]:
    """Return tensor indices by the tensors' names, made unique with ``#INDEX``."""
    names: dict[str, int] = {}
    for index in indexes:
        name = graph.tensors[index].name
        names[f"{name}#{index}" if name in names else name] = index
    return names


def _open_batches(rewrite: Rewrite) -> None:
    """Make RESHAPE infer the batch: a first size of 1 becomes -1, unless another one is -1."""
    for operator in rewrite.graph.operators:
        if rewrite.name(operator) != "RESHAPE":
            continue
        sizes = rewrite.values(int(operator.inputs[1]))
        if sizes is not None and sizes.ndim == 1 and sizes[0] == 1 and (sizes != -1).all():
            opened = rewrite.add_tensor(
                "shape", [sizes.size], "int32", values=np.array([-1, *sizes[1:]], np.int32)
            )
            operator.inputs = [int(operator.inputs[0]), opened]
            operator.builtinOptions = None  # its copy of the shape is the old one
            operator.builtinOptionsType = schema.BuiltinOptions.NONE
