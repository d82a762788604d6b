"""Proof, from the file itself, that a model is full-integer."""

from __future__ import annotations

from edgepack.errors import ConversionError
from edgepack.types import Graph, Model

_FLOATS = {"float16", "bfloat16", "float32", "float64", "complex64", "complex128"}
_NAMED = 5


def float_tensors(model: Model) -> list[str]:
    """Describe each tensor left in floating point, with the operator that makes or takes it."""
    return [
        f"{tensor.name} ({tensor.dtype}, {_user(graph, index)})"
        for graph in model.subgraphs
        for index, tensor in enumerate(graph.tensors)
        if tensor.dtype in _FLOATS
    ]


def float_operators(model: Model) -> set[str]:
    """Name the operators that compute in floating point, not those that convert from and to it."""
    return {
        operator.name
        for graph in model.subgraphs
        for operator in graph.operators
        if any(graph.tensors[index].dtype in _FLOATS for index in operator.outputs)
        and any(graph.tensors[index].dtype in _FLOATS for index in operator.inputs if index >= 0)
    }


def require_full_integer(model: Model, source: Model) -> None:
    """Raise :class:`ConversionError`, naming the tensors, unless all that was float is int8.

    ``source`` is the float model: inputs and outputs that are whole numbers there, such as token
    numbers, stay what they are.
    """
    if not model.main.operators:
        raise ConversionError("the model computes nothing: it has no operator to quantize")
    if left := float_tensors(model):
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        count = "1 tensor is" if len(left) == 1 else f"{len(left)} tensors are"
        raise ConversionError(
            f"not full-integer: {count} left in float: {'; '.join(left[:_NAMED])}{more};"
            f" {_cure(source)}"
        )
    for kind, found, before in (
        ("input", model.main.input_tensors, source.main.input_tensors),
        ("output", model.main.output_tensors, source.main.output_tensors),
    ):
        for tensor, original in zip(found, before, strict=True):
            if tensor.dtype != ("int8" if original.dtype in _FLOATS else original.dtype):
                raise ConversionError(
                    f"not full-integer: the {kind} {tensor.name} is {tensor.dtype}, not int8"
                )


def _cure(source: Model) -> str:
    """Say what to change in the float model."""
    graph = source.main
    takers = {op.name for op in graph.operators if set(op.inputs) & set(graph.inputs)}
    if "CAST" in takers:
        return (
            "an input in float is used as whole numbers, as by an Embedding: give its Input layer"
            " dtype='int32'"
        )
    if any(op.name == "NOT_EQUAL" for op in graph.operators):
        return (
            "values are compared to find masked steps, as by Masking or mask_zero, which TensorFlow"
            " Lite cannot do in int8: build the model without masks"
        )
    return "replace the layers they belong to by ones that TensorFlow Lite has in int8"


def _user(graph: Graph, index: int) -> str:
    for operator in graph.operators:
        if index in operator.outputs:
            return f"made by {operator.name}"
    for operator in graph.operators:
        if index in operator.inputs:
            return f"taken by {operator.name}"
    return "used by no operator"
