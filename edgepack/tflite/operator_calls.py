"""An operator together with the tensors that it takes and gives."""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.tflite.graph import Graph, Operator, Tensor


@dataclass(frozen=True, kw_only=True)
class OperatorCall:
    """An operator with the tensors that it takes and gives; None for an input that is left out."""

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    @classmethod
    def of(cls, graph: Graph, operator: Operator) -> OperatorCall:
        """Look the tensors of an operator up."""
        return cls(
            operator=operator,
            inputs=tuple(graph.tensors[i] if i >= 0 else None for i in operator.inputs),
            outputs=tuple(graph.tensors[i] for i in operator.outputs),
        )

    def input(self, place: int) -> Tensor | None:
        """Return an input; None if it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def dtype(self, place: int = 0) -> str:
        """Return the dtype of an input, empty if it is left out."""
        tensor = self.input(place)
        return tensor.dtype if tensor else ""

    @property
    def gives(self) -> str:
        """The dtype of the first output."""
        return self.outputs[0].dtype if self.outputs else ""

    def dimensions(self, place: int = 0) -> int:
        """Count the dimensions of an input, 0 if it is left out."""
        tensor = self.input(place)
        return len(tensor.shape) if tensor else 0

    def is_quantized(self, place: int) -> bool:
        """Whether an input has scales."""
        tensor = self.input(place)
        return tensor is not None and tensor.quant is not None

    def is_per_channel(self, place: int) -> bool:
        """Whether an input has more than one scale."""
        tensor = self.input(place)
        return tensor is not None and tensor.quant is not None and tensor.quant.axis is not None

    def has(self, option: str) -> bool:
        """Whether an option is set to something other than 0."""
        return option in self.operator.options

    def is_hybrid(self, weights: int = 1) -> bool:
        """Whether activations in float meet weights in int8, which lie at a place."""
        return self.dtype() == self.gives == "float32" and self.dtype(weights) == "int8"
