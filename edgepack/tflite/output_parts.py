"""The parts of which a model's output consists, wherever its operators move them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepack.tflite.graph import Graph, Tensor
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.moved_values import CONVERSIONS, MOVES
from edgepack.tflite.output_pieces import Pieces, find_pieces
from edgepack.tflite.value_origins import Origins, Tracer, ValueSource

_ACTIVATIONS = (
    *("ELU", "EXP", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "LOG_SOFTMAX", "PRELU"),
    *("RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "SOFTMAX", "TANH"),
)
_PROBABILITIES = ("LOGISTIC", "SOFTMAX")


@dataclass(frozen=True, kw_only=True)
class OutputPart:
    """A part of an output: the ``source`` of its values.

    The ``operator``, such as LOGISTIC, of the ``layer`` computes them.
    """

    layer: str
    operator: str
    source: ValueSource

    @property
    def is_probability(self) -> bool:
        """Whether the operator computes probabilities."""
        return self.operator in _PROBABILITIES


@dataclass(frozen=True, kw_only=True, eq=False)
class OutputLayout:
    """How an output is made up.

    ``step`` is the real value of one step of its only scale, None if it is not quantized.
    ``origins`` are those of its values, int32 in the shape of a sample, in the sources of its
    ``parts``. The ``operator`` joins these; if there is but one, it computes the output.
    ``pieces`` are what :func:`edgepack.tflite.split_outputs.split_outputs` makes of the output.
    """

    step: float | None
    operator: str
    origins: NDArray[np.int32]
    parts: tuple[OutputPart, ...]
    pieces: Pieces

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample."""
        return self.origins.shape

    @property
    def is_joined(self) -> bool:
        """Whether the output has several parts."""
        return len(self.parts) > 1


def output_layouts(graph: Graph) -> tuple[OutputLayout, ...]:
    """Return how each output of a graph is made up, in order."""
    walk = _Walk(graph)
    return tuple(walk.layout(index) for index in graph.outputs)


class _Walk:
    """Walks back from the outputs of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._names: Mapping[int, str] = layer_names(graph)
        self._tracer = Tracer(graph)

    def layout(self, output: int) -> OutputLayout:
        tensor = self._graph.tensors[output]
        computed = self._tracer.computed(output)
        operator = self._operator(computed)
        return OutputLayout(
            step=self._step(output),
            operator=operator,
            origins=computed.values.reshape(tensor.sample_shape),
            parts=tuple(
                OutputPart(
                    layer=self._layer(source.tensor),
                    operator=self._writer_name(source.tensor),
                    source=source,
                )
                for source in computed.sources
            ),
            pieces=find_pieces(self._graph, self._tracer, output, operator),
        )

    def _step(self, output: int) -> float | None:
        """Return the real value of one step of the last scale that an output has."""
        index, step = output, step_of(self._graph.tensors[output])
        while step is None and (operator := self._tracer.writer(index)):
            if operator.name not in (*CONVERSIONS, *MOVES):
                break
            index = operator.inputs[0]
            step = step_of(self._graph.tensors[index])
        return step

    def _operator(self, origins: Origins) -> str:
        """Return the operator that joins the parts, the last one, or else computes the values."""
        joins = [index for index in origins.followed if self._tracer.is_join(index)]
        (first, *others) = origins.sources
        return self._writer_name(joins[-1] if joins and others else first.tensor)

    def _writer_name(self, index: int) -> str:
        writer = self._tracer.writer(index)
        return writer.name if writer else "input"

    def _layer(self, index: int) -> str:
        """Return the layer that computes a tensor, behind constants and activations.

        That of the operator that writes the tensor, if there are none but these.
        """
        names = [self._name(index)]
        while operator := self._tracer.writer(index):
            before = self._tracer.values_of(index)
            if operator.name in _ACTIVATIONS:
                before = self._tracer.computed_inputs(operator)
            if len(before) != 1:
                return _layer_of_all(names)
            (index,) = before
            names.append(self._name(index))
        return names[0]

    def _name(self, index: int) -> str:
        return self._names.get(index, self._graph.tensors[index].name)


def _layer_of_all(names: Sequence[str]) -> str:
    """Return the last of the names, without its operation if another name is of the same layer.

    >>> _layer_of_all(["dense/Sigmoid", "dense/MatMul"])
    'dense'
    """
    scope = names[-1].rpartition("/")[0]
    is_shared = scope and any(name.startswith(f"{scope}/") for name in names[:-1])
    return scope if is_shared else names[-1]


def step_of(tensor: Tensor) -> float | None:
    """Return the real value of a step of a tensor with one scale, None of another."""
    return tensor.quant.scale[0] if tensor.quant and tensor.quant.axis is None else None
