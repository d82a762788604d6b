"""Where in a model operators lie, as findings tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edgepack.tflite.graph import Model
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.operator_calls import OperatorCall

_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Place:
    """An operator with its tensors, and the name of its layer."""

    use: OperatorCall
    layer: str

    @property
    def operator(self) -> str:
        """The operator's name."""
        return self.use.operator.name


def places(model: Model) -> Iterator[Place]:
    """Give every operator of a model in the order of the file."""
    for graph in model.subgraphs:
        names = layer_names(graph)
        for operator in graph.operators:
            layer = names[operator.outputs[0]] if operator.outputs else operator.name.lower()
            yield Place(use=OperatorCall.of(graph, operator), layer=layer)


def listed(names: Iterable[str]) -> str:
    """Name things, once each, and no more than a few.

    >>> listed(["conv2d", "dense", "dense", "a", "b", "c", "d"])
    'conv2d, dense, a, b, c and 1 more'
    """
    once = list(dict.fromkeys(names))
    more = f" and {len(once) - _NAMED} more" if len(once) > _NAMED else ""
    return ", ".join(once[:_NAMED]) + more
