"""Verifies, from the quantized file itself, what is quantized and what is left in float."""

from __future__ import annotations

from collections.abc import Collection

from edgepack.config.quantization import DYNAMIC_RANGE, FLOAT, Quantization
from edgepack.core.errors import ConversionError
from edgepack.quantization.layer_patterns import assign_patterns
from edgepack.quantization.masked_steps import comparisons, masking_layers, zero_masks
from edgepack.tflite.graph import Graph, Model, Operator
from edgepack.tflite.sparsity import weight_tensors

FLOATS = {"float16", "bfloat16", "float32", "float64", "complex64", "complex128"}
_MAX_NAMED = 5
_FULL_INT8 = Quantization()


def float_tensors(model: Model, allowed: Collection[tuple[int, int]] = ()) -> list[str]:
    """Describe each tensor left in floating point, with an operator that outputs or uses it.

    ``allowed`` are pairs of subgraph and tensor indices to leave out.
    """
    return [
        f"{tensor.name} ({tensor.dtype}, {_user(graph, index)})"
        for number, graph in enumerate(model.subgraphs)
        for index, tensor in enumerate(graph.tensors)
        if tensor.dtype in FLOATS and (number, index) not in allowed
    ]


def float_operators(model: Model, in_float: Collection[str] = ()) -> set[str]:
    """Return the kinds of operators that compute in floating point, not those that convert it.

    Operators whose first outputs are named ``in_float`` are meant to, and are left out.
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
    """Verify that everything in float in ``source`` is quantized to integers as ``settings`` say.

    Returns the names of the operators that ``settings`` keep in float. Inputs and outputs that are
    integers in the float model, such as token ids, must keep their type. Raises
    :class:`ConversionError`, naming the tensors, for any other float.
    """
    if not model.main.operators:
        raise ConversionError("the model computes nothing: it has no operator to quantize")
    in_float = {
        name
        for name, scheme in assign_patterns(source.main, settings.scheme, settings.layers).items()
        if scheme == FLOAT
    }
    if left := float_tensors(model, _allowed(model, in_float, settings)):
        more = f" and {len(left) - _MAX_NAMED} more" if len(left) > _MAX_NAMED else ""
        count = "1 tensor is" if len(left) == 1 else f"{len(left)} tensors are"
        raise ConversionError(
            f"not full-integer: {count} left in float: {'; '.join(left[:_MAX_NAMED])}{more};"
            f" {_cure(source, in_float)}"
        )
    for kind, dtype, tensors, originals in (
        ("input", settings.inputs, model.main.input_tensors, source.main.input_tensors),
        ("output", settings.outputs, model.main.output_tensors, source.main.output_tensors),
    ):
        for tensor, original in zip(tensors, originals, strict=True):
            if tensor.dtype != (dtype if original.dtype in FLOATS else original.dtype):
                raise ConversionError(
                    f"not full-integer: the {kind} {tensor.name} is {tensor.dtype}, not {dtype}"
                )
    return tuple(
        graph.tensors[operator.outputs[0]].name
        for graph in model.subgraphs
        for operator in graph.operators
        if _computes_in_float(graph, operator)
    )


def require_quantized_weights(model: Model, scheme: str) -> tuple[str, ...]:
    """Verify that a scheme that computes in float has quantized weights.

    Returns the names of the weights that are still in float32. Raises :class:`ConversionError` if
    all of them are.
    """
    weights = weight_tensors(model)
    left = [name for name, weight in weights.items() if weight.tensor.dtype == "float32"]
    if len(left) == len(weights):
        limit = " with 1,024 weights or more" if scheme == DYNAMIC_RANGE else ""
        raise ConversionError(
            f"nothing was quantized: the scheme {scheme} applies to no layer{limit}; choose"
            " another, such as int8"
        )
    return tuple(left)


def dense_scales(model: Model) -> str | None:
    """Return ``per-channel`` or ``per-tensor``, the scales of quantized dense layers; None without.

    Models with both are ``per-channel``.
    """
    quants = [
        graph.tensors[operator.inputs[1]].quant
        for graph in model.subgraphs
        for operator in graph.operators
        if operator.name == "FULLY_CONNECTED"
    ]
    quantized = [quant for quant in quants if quant is not None]
    if not quantized:
        return None
    return "per-channel" if any(quant.axis is not None for quant in quantized) else "per-tensor"


def _allowed(
    model: Model, in_float: Collection[str], settings: Quantization
) -> set[tuple[int, int]]:
    """Return the subgraph and tensor indices of layers, inputs and outputs meant to be in float."""
    allowed = {
        (number, index)
        for number, graph in enumerate(model.subgraphs)
        for operator in graph.operators
        if graph.tensors[operator.outputs[0]].name in in_float
        for index in (*operator.inputs, *operator.outputs)
    }
    for dtype, indices in (
        (settings.inputs, model.main.inputs),
        (settings.outputs, model.main.outputs),
    ):
        if dtype == "float32":
            allowed |= {(0, index) for index in indices}
    return allowed


def _computes_in_float(graph: Graph, operator: Operator) -> bool:
    return all(
        any(graph.tensors[index].dtype in FLOATS for index in indices if index >= 0)
        for indices in (operator.outputs, operator.inputs)
    )


def _cure(source: Model, in_float: Collection[str]) -> str:
    """Return what to change in the float model or the settings, as the end of an error message."""
    graph = source.main
    consumers = {op.name for op in graph.operators if set(op.inputs) & set(graph.inputs)}
    if "CAST" in consumers:
        return (
            "a float input is used as integers, as by an Embedding: set dtype='int32' in its Input"
            " layer"
        )
    if comparisons(graph):
        masks = zero_masks(graph)
        layers = dict.fromkeys(masks.values()) if not masks.keys() <= set(in_float) else {}
        named = " and ".join(map(repr, dict.fromkeys(masking_layers(graph).values())))
        where = f"by {named}" if named else "as by Masking"
        options = " ".join(f"--layer {layer}=float" for layer in layers)
        leave = f"give {options}, or " if layers else ""
        return (
            f"values are compared to find masked steps, {where}, which TensorFlow's converter"
            f" leaves in float: {leave}choose the scheme float16, for targets that do not require"
            " integers throughout (microcontrollers do); or build the model without masks, or with"
            " the mask as an input of zeros and ones to multiply by"
        )
    return "replace their layers with ones that TensorFlow Lite has in int8"


def _user(graph: Graph, index: int) -> str:
    for operator in graph.operators:
        if index in operator.outputs:
            return f"output of {operator.name}"
    for operator in graph.operators:
        if index in operator.inputs:
            return f"input of {operator.name}"
    return "used by no operator"
