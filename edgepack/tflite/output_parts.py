"""The parts of which a model's output consists: the inputs of the CONCATENATION that writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from edgepack.tflite.graph import Graph, Operator, Tensor
from edgepack.tflite.layer_names import layer_names

Region = tuple[tuple[int, int], ...]
"""Part of a sample: for each axis without that of the samples, the first index and the end."""

CONCATENATION = "CONCATENATION"
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
_MOVES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operators that keep every value and their order."""


@dataclass(frozen=True, kw_only=True)
class OutputPart:
    """A part of an output: its ``region``, the tensor that holds it, and the layer it is from."""

    region: Region
    tensor: int
    layer: str


@dataclass(frozen=True, kw_only=True)
class OutputLayout:
    """How an output is made up.

    ``step`` is the real value of one step of its only scale, None if it is not quantized.
    ``parts`` are the inputs of the CONCATENATION that writes it, those of a nested one included;
    empty if it is not written by one, or if the parts are not regions of the output. ``joins``
    are the indices of these CONCATENATIONs among the operators. ``obstacle`` is why
    :func:`edgepack.tflite.split_outputs.split_outputs` does not split it: None if it does.
    """

    shape: tuple[int, ...]
    step: float | None
    operator: str
    layer: str
    parts: tuple[OutputPart, ...] = ()
    joins: tuple[int, ...] = ()
    obstacle: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a walk from an output back to its parts has found."""

    parts: list[OutputPart] = field(default_factory=list)
    joins: list[int] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)


def whole(shape: tuple[int, ...]) -> Region:
    """Return the region of all values of samples of a shape.

    >>> whole((64, 14))
    ((0, 64), (0, 14))
    """
    return tuple((0, size) for size in shape)


def output_layouts(graph: Graph) -> tuple[OutputLayout, ...]:
    """Return how each output of a graph is made up, in order."""
    walk = _Walk(graph)
    return tuple(walk.layout(index) for index in graph.outputs)


class _Walk:
    """Walks back from the outputs of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._names: Mapping[int, str] = layer_names(graph)
        self._writers = {
            index: place
            for place, operator in enumerate(graph.operators)
            for index in operator.outputs
        }

    def layout(self, output: int) -> OutputLayout:
        tensor = self._graph.tensors[output]
        source, step, moves = output, _step(tensor), []
        while (operator := self._writer(source)) and operator.name in (*_CONVERSIONS, *_MOVES):
            moves += [operator.name] if operator.name in _MOVES else []
            source = operator.inputs[0]
            step = step or _step(self._graph.tensors[source])
        found = _Found()
        name = operator.name if operator else "input"
        if operator and name == CONCATENATION:
            self._collect(source, whole(tensor.sample_shape), found, is_moved=bool(moves))
        obstacle = next(iter(found.obstacles), None)
        if name != CONCATENATION:
            obstacle = f"{name} writes it, not {CONCATENATION}"
        elif moves:
            obstacle = f"{moves[-1]} follows the {CONCATENATION} that joins it"
        return OutputLayout(
            shape=tensor.sample_shape,
            step=step,
            operator=name,
            layer=self._names.get(source, tensor.name),
            parts=tuple(found.parts),
            joins=tuple(found.joins),
            obstacle=obstacle,
        )

    def _collect(self, source: int, region: Region, found: _Found, *, is_moved: bool) -> None:
        """Add the inputs of the CONCATENATION that writes a tensor, by their regions."""
        place = self._writers[source]
        operator = self._graph.operators[place]
        shape = self._graph.tensors[source].shape
        axis = _axis(operator, len(shape))
        if axis == 0 or shape[0] != 1:
            found.obstacles.append(f"its {CONCATENATION} joins samples")
            return
        if is_moved and not (axis == len(shape) - 1 and shape[-1] == region[-1][1]):
            found.obstacles.append(f"its {CONCATENATION} joins other axes than the output's")
            return
        if is_moved:
            axis = len(region)
        found.joins.append(place)
        found.obstacles.extend(self._obstacles(operator, source, found))
        start = region[axis - 1][0]
        for index in operator.inputs:
            # Behind a RESHAPE, only the last axis is that of the output.
            size = self._graph.tensors[index].shape[-1 if is_moved else axis]
            inner = (*region[: axis - 1], (start, start + size), *region[axis:])
            joined = self._nested(index)
            if joined is None or is_moved:
                part = OutputPart(region=inner, tensor=index, layer=self._layer(index))
                found.parts.append(part)
            else:
                self._collect(joined, inner, found, is_moved=False)
            start += size

    def _obstacles(self, operator: Operator, source: int, found: _Found) -> Iterator[str]:
        """Yield reasons why the inputs of a CONCATENATION cannot be outputs in its place."""
        if operator.options.get("fused_activation_function"):
            yield f"its {CONCATENATION} has an activation function"
        if self._reads(source) > 1:
            yield f"its {CONCATENATION} is read by other operators too"
        for index in operator.inputs:
            tensor = self._graph.tensors[index]
            if tensor.is_constant:
                yield f"a part of it is the constant {tensor.name}"
            elif index in self._graph.inputs:
                yield f"a part of it is the model's input {tensor.name}"
            elif index in self._graph.outputs:
                yield f"a part of it, {self._layer(index)}, is an output already"
            elif operator.inputs.count(index) > 1 or index in (p.tensor for p in found.parts):
                yield f"a part of it, {self._layer(index)}, occurs twice"

    def _nested(self, index: int) -> int | None:
        """Return the tensor of a nested CONCATENATION that a part is; None if it is not one."""
        while (operator := self._writer(index)) and operator.name in _CONVERSIONS:
            index = operator.inputs[0]
        is_plain = operator and not operator.options.get("fused_activation_function")
        is_joined = is_plain and operator is not None and operator.name == CONCATENATION
        if not is_joined or operator is None or self._reads(index) > 1:
            return None
        shape = self._graph.tensors[index].shape
        return index if _axis(operator, len(shape)) and shape[0] == 1 else None

    def _layer(self, index: int) -> str:
        """Return the layer that computes the values of a tensor."""
        while (operator := self._writer(index)) and operator.name in (*_CONVERSIONS, *_MOVES):
            index = operator.inputs[0]
        return self._names.get(index, self._graph.tensors[index].name)

    def _writer(self, index: int) -> Operator | None:
        place = self._writers.get(index)
        return None if place is None else self._graph.operators[place]

    def _reads(self, index: int) -> int:
        """Count how often a tensor is read, as an input of an operator or an output."""
        reads = [*self._graph.outputs]
        reads += [each for operator in self._graph.operators for each in operator.inputs]
        return reads.count(index)


def _axis(operator: Operator, rank: int) -> int:
    return int(operator.options.get("axis", 0)) % rank


def _step(tensor: Tensor) -> float | None:
    """Return the real value of a step of a tensor with one scale."""
    return tensor.quant.scale[0] if tensor.quant and tensor.quant.axis is None else None
