"""An operator together with its input and output tensors."""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.tflite.graph import Graph, Operator, Tensor


@dataclass(frozen=True, kw_only=True)
class OperatorCall:
    """An operator with its input and output tensors; an omitted input is None."""

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    @classmethod
    def of(cls, graph: Graph, operator: Operator) -> OperatorCall:
        """Look up the tensors of an operator of a graph."""
        return cls(
            operator=operator,
            inputs=tuple(graph.tensors[i] if i >= 0 else None for i in operator.inputs),
            outputs=tuple(graph.tensors[i] for i in operator.outputs),
        )

    def input(self, index: int) -> Tensor | None:
        """Return an input; None if it is omitted."""
        return self.inputs[index] if index < len(self.inputs) else None

    def dtype(self, index: int = 0) -> str:
        """Return the dtype of an input, empty if it is omitted."""
        tensor = self.input(index)
        return tensor.dtype if tensor else ""

    @property
    def output_dtype(self) -> str:
        """The dtype of the first output, empty without outputs."""
        return self.outputs[0].dtype if self.outputs else ""

    def dimensions(self, index: int = 0) -> int:
        """Return the number of dimensions of an input, 0 if it is omitted."""
        tensor = self.input(index)
        return len(tensor.shape) if tensor else 0

    def is_quantized(self, index: int) -> bool:
        """Whether an input has scales."""
        tensor = self.input(index)
        return tensor is not None and tensor.quant is not None

    def is_per_channel(self, index: int) -> bool:
        """Whether an input has more than one scale."""
        tensor = self.input(index)
        return tensor is not None and tensor.quant is not None and tensor.quant.axis is not None

    def has(self, option: str) -> bool:
        """Whether an option is set to something other than 0."""
        return option in self.operator.options

    def is_hybrid(self, weights: int = 1) -> bool:
        """Whether activations are float32 and the weights, the input of that index, are int8."""
        return self.dtype() == self.output_dtype == "float32" and self.dtype(weights) == "int8"
