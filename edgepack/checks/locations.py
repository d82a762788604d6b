"""The operators of a model with their layers, as findings name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edgepack.tflite.graph import Model
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.operator_calls import OperatorCall

_MAX_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Place:
    """An operator with its tensors, and the name of its layer."""

    call: OperatorCall
    layer: str

    @property
    def operator(self) -> str:
        """The operator's name."""
        return self.call.operator.name


def places(model: Model) -> Iterator[Place]:
    """Yield every operator of a model in the order of the file."""
    for graph in model.subgraphs:
        names = layer_names(graph)
        for operator in graph.operators:
            layer = names[operator.outputs[0]] if operator.outputs else operator.name.lower()
            yield Place(call=OperatorCall.of(graph, operator), layer=layer)


def listed(names: Iterable[str]) -> str:
    """Join names as text, each name once, and at most five of them.

    >>> listed(["conv2d", "dense", "dense", "a", "b", "c", "d"])
    'conv2d, dense, a, b, c and 1 more'
    """
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - _MAX_NAMED} more" if len(unique) > _MAX_NAMED else ""
    return ", ".join(unique[:_MAX_NAMED]) + more
