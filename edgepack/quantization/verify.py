"""Proof, from the file itself, of what is quantized and what is left in float."""

from __future__ import annotations

from collections.abc import Collection

from edgepack.config.quantization import DYNAMIC_RANGE, FLOAT, Quantization
from edgepack.core.errors import ConversionError
from edgepack.quantization.layer_patterns import assign_patterns
from edgepack.tflite.graph import Graph, Model, Operator
from edgepack.tflite.sparsity import weight_tensors

FLOATS = {"float16", "bfloat16", "float32", "float64", "complex64", "complex128"}
_NAMED = 5
_FULL_INT8 = Quantization()


def float_tensors(model: Model, allowed: Collection[tuple[int, int]] = ()) -> list[str]:
    """Describe each tensor left in floating point, with the operator that makes or takes it.

    ``allowed`` has pairs of a graph's and a tensor's index.
    """
    return [
        f"{tensor.name} ({tensor.dtype}, {_user(graph, index)})"
        for number, graph in enumerate(model.subgraphs)
        for index, tensor in enumerate(graph.tensors)
        if tensor.dtype in FLOATS and (number, index) not in allowed
    ]


def float_operators(model: Model, in_float: Collection[str] = ()) -> set[str]:
    """Name the operators that compute in floating point, not those that convert from and to it.

    Those whose first outputs are named ``in_float`` do so on purpose and are left out.
    """
    return {
        operator.name
        for graph in model.subgraphs
        for operator in graph.operators
        if _computes_in_float(graph, operator)
        and graph.tensors[operator.outputs[0]].name not in in_float
    }


def require_full_integer(
    model: Model, source: Model, settings: Quantization = _FULL_INT8
) -> tuple[str, ...]:
    """Prove that all that was float in ``source`` is in the integers that were asked for.

    Returns the names of what computes in float because ``settings`` say so. Inputs and outputs
    that are whole numbers in the float model, such as token numbers, stay what they are. Raises
    :class:`ConversionError`, naming the tensors, for any other float.
    """
    if not model.main.operators:
        raise ConversionError("the model computes nothing: it has no operator to quantize")
    in_float = {
        name
        for name, wanted in assign_patterns(source.main, settings.scheme, settings.layers).items()
        if wanted == FLOAT
    }
    if left := float_tensors(model, _allowed(model, in_float, settings)):
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        count = "1 tensor is" if len(left) == 1 else f"{len(left)} tensors are"
        raise ConversionError(
            f"not full-integer: {count} left in float: {'; '.join(left[:_NAMED])}{more};"
            f" {_cure(source)}"
        )
    for kind, wanted, found, before in (
        ("input", settings.inputs, model.main.input_tensors, source.main.input_tensors),
        ("output", settings.outputs, model.main.output_tensors, source.main.output_tensors),
    ):
        for tensor, original in zip(found, before, strict=True):
            if tensor.dtype != (wanted if original.dtype in FLOATS else original.dtype):
                raise ConversionError(
                    f"not full-integer: the {kind} {tensor.name} is {tensor.dtype}, not {wanted}"
                )
    return tuple(
        graph.tensors[operator.outputs[0]].name
        for graph in model.subgraphs
        for operator in graph.operators
        if _computes_in_float(graph, operator)
    )


def require_quantized_weights(model: Model, scheme: str) -> tuple[str, ...]:
    """Prove that a scheme that computes in float has quantized weights.

    Returns the names of the weights that stayed in float32. Raises :class:`ConversionError` if
    all of them did.
    """
    weights = weight_tensors(model)
    left = [name for name, weight in weights.items() if weight.tensor.dtype == "float32"]
    if len(left) == len(weights):
        limit = " of 1,024 weights or more" if scheme == DYNAMIC_RANGE else ""
        raise ConversionError(
            f"nothing was quantized: no layer{limit} was left to the scheme {scheme}; choose"
            " another, such as int8"
        )
    return tuple(left)


def dense_scales(model: Model) -> str | None:
    """Tell whether dense layers have a scale for each output, or one; None without such layers."""
    weights = [
        graph.tensors[operator.inputs[1]].quant
        for graph in model.subgraphs
        for operator in graph.operators
        if operator.name == "FULLY_CONNECTED"
    ]
    known = [quant for quant in weights if quant is not None]
    if not known:
        return None
    return "per-channel" if any(quant.axis is not None for quant in known) else "per-tensor"


def _allowed(
    model: Model, in_float: Collection[str], settings: Quantization
) -> set[tuple[int, int]]:
    """Find the tensors that a layer or an end in float accounts for: graph and index."""
    allowed = {
        (number, index)
        for number, graph in enumerate(model.subgraphs)
        for operator in graph.operators
        if graph.tensors[operator.outputs[0]].name in in_float
        for index in (*operator.inputs, *operator.outputs)
    }
    for wanted, ends in (
        (settings.inputs, model.main.inputs),
        (settings.outputs, model.main.outputs),
    ):
        if wanted == "float32":
            allowed |= {(0, index) for index in ends}
    return allowed


def _computes_in_float(graph: Graph, operator: Operator) -> bool:
    made, taken = (
        any(graph.tensors[index].dtype in FLOATS for index in ends if index >= 0)
        for ends in (operator.outputs, operator.inputs)
    )
    return made and taken


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
