"""Which operators LiteRT's GPU delegate supports: OpenCL on Android, Metal on iOS.

The rules follow LiteRT's sources: those for operators, versions and tensors are from
``tflite/delegates/gpu/common/model_builder.cc``, the others from
``tflite/tools/versioning/gpu_compatibility.cc``. The documentation of GPU delegates lists fewer
operators (https://ai.google.dev/edge/litert/performance/gpu).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from edgepack.devices.delegates import Delegation, delegate_graph
from edgepack.devices.delegates.gpu_operators import (
    BINARY,
    COMPARISONS,
    CONSTANT_DTYPES,
    EIGHT_BIT,
    FLOATS,
    INPUT_DTYPES,
    NEWEST_VERSION,
    ONE_COMPUTED_INPUT,
    OUTPUT_DTYPES,
    PADS,
    SELECTS,
    SLICES,
    UP_TO_TWO_COMPUTED_INPUTS,
)
from edgepack.tflite.graph import Graph, Model, Operator, Tensor

_MAX_RANK = 4


def gpu_delegation(model: Model) -> Delegation:
    """Return which operators of the main graph the GPU delegate runs, and why not the others.

    By default the delegate runs the largest part alone (``max_delegated_partitions`` is 1).
    """
    graph = _Graph(model.main)
    left = {
        index: why
        for index, operator in enumerate(model.main.operators)
        if (why := next(_objections(graph, operator), None)) is not None
    }
    return delegate_graph(model.main, left, largest_only=True)


def _objections(graph: _Graph, operator: Operator) -> Iterator[str]:
    try:
        for rule in _RULES:
            if (why := rule(graph, operator)) is not None:
                yield why
    except (IndexError, ValueError):  # the file is untrusted
        yield "too few inputs or outputs"


@dataclass(frozen=True)
class _Graph:
    """A graph, with lookups of its computed tensors (the others are constants) and readers."""

    graph: Graph

    @cached_property
    def computed(self) -> frozenset[int]:
        """The indices of computed tensors.

        float16 weights count as constants: the delegate skips their DEQUANTIZE.
        """
        written = {
            i: operator for operator in self.graph.operators for i in operator.outputs if i >= 0
        }
        computed = {*self.graph.inputs, *written}
        return frozenset(
            i
            for i in computed
            if i not in written or not self._is_stored_as_float16(written[i], computed)
        )

    def _is_stored_as_float16(self, operator: Operator, computed: set[int]) -> bool:
        stored = [i for i in operator.inputs if i >= 0 and i not in computed]
        return operator.name == "DEQUANTIZE" and any(
            self.graph.tensors[i].dtype == "float16" for i in stored
        )

    @cached_property
    def readers(self) -> dict[int, list[Operator]]:
        """The operators that read each tensor, by its index."""
        readers: dict[int, list[Operator]] = {}
        for operator in self.graph.operators:
            for i in operator.inputs:
                readers.setdefault(i, []).append(operator)
        return readers

    def computed_inputs(self, operator: Operator) -> list[Tensor]:
        return [self.graph.tensors[i] for i in operator.inputs if i in self.computed]

    def inputs(self, operator: Operator) -> list[Tensor]:
        """Return the inputs that are present: an index of -1 marks an omitted one."""
        return [self.graph.tensors[i] for i in operator.inputs if i >= 0]

    def outputs(self, operator: Operator) -> list[Tensor]:
        return [self.graph.tensors[i] for i in operator.outputs]


_Rule = Callable[[_Graph, Operator], str | None]


def _is_supported(_: _Graph, operator: Operator) -> str | None:
    """The delegate supports the operator."""
    return None if operator.name in NEWEST_VERSION else "unsupported operator"


def _has_supported_version(_: _Graph, operator: Operator) -> str | None:
    """The delegate supports the operator's version."""
    newest = NEWEST_VERSION[operator.name]
    if operator.version <= newest:
        return None
    return f"version {operator.version}, supported up to {newest}"


def _has_supported_activations(graph: _Graph, operator: Operator) -> str | None:
    """Activations are float, or 8-bit with a single scale, which the delegate dequantizes."""
    name = operator.name
    sides = (
        (graph.computed_inputs(operator), INPUT_DTYPES.get(name, frozenset())),
        (graph.outputs(operator), OUTPUT_DTYPES.get(name, frozenset())),
    )
    for tensors, additional in sides:
        for tensor in tensors:
            if tensor.dtype in EIGHT_BIT and (
                tensor.quant is None or tensor.quant.axis is not None
            ):
                return f"{tensor.dtype} activations without a single scale"
            if tensor.dtype not in FLOATS | EIGHT_BIT | additional:
                return f"{tensor.dtype} activations"
    return None


def _has_supported_constants(graph: _Graph, operator: Operator) -> str | None:
    """Constants have types that the delegate converts to float; int4 is not one of them."""
    for i in operator.inputs:
        if i >= 0 and i not in graph.computed:
            dtype = graph.graph.tensors[i].dtype
            if dtype not in CONSTANT_DTYPES:
                return f"{dtype} constants"
    return None


def _has_static_shapes(graph: _Graph, operator: Operator) -> str | None:
    """Tensors have at most 4 dimensions, with sizes known before the first inference."""
    for tensor in (*graph.inputs(operator), *graph.outputs(operator)):
        if len(tensor.shape) > _MAX_RANK:
            return f"tensors with {len(tensor.shape)} dimensions"
    for tensor in (*graph.computed_inputs(operator), *graph.outputs(operator)):
        if any(size <= 0 for size in tensor.shape):
            return "dynamic sizes"
    return None


def _has_supported_operands(graph: _Graph, operator: Operator) -> str | None:
    """Inputs that the delegate requires as constants, such as axes and shapes, are constants."""
    computed = len(graph.computed_inputs(operator))
    if operator.name in ONE_COMPUTED_INPUT and computed != 1:
        return f"{computed} computed inputs instead of 1"
    if operator.name in UP_TO_TWO_COMPUTED_INPUTS and not 1 <= computed <= 2:  # noqa: PLR2004 (its name)
        return f"{computed} computed inputs instead of 1 or 2"
    if operator.name in BINARY and (len(operator.inputs) != 2 or computed == 0):  # noqa: PLR2004
        return f"{len(operator.inputs)} inputs instead of 2"
    if operator.name == "FULLY_CONNECTED" and operator.inputs[0] not in graph.computed:
        return "a constant input"
    return None


def _has_distinct_operands(_: _Graph, operator: Operator) -> str | None:
    """The two operands of an operator differ; the delegate converts x * x to SQUARE."""
    if operator.name in BINARY - {"ADD", "MUL"} and operator.inputs[0] == operator.inputs[1]:
        return "the same operand twice"
    return None


def _broadcasts(graph: _Graph, operator: Operator) -> str | None:
    """ADD and MUL broadcast in a way that the delegate supports."""
    if operator.name not in ("ADD", "MUL"):
        return None
    first, second = sorted((tensor.shape for tensor in graph.inputs(operator)), key=len)
    if len(first) == len(second):
        smaller = [(a < b, b < a) for a, b in zip(first, second, strict=True)]
        crossed = any(a for a, _ in smaller) and any(b for _, b in smaller)
        fits = operator.name == "ADD" or not crossed
    else:
        fits = len(first) <= 1 or _fits(second, first)
    return None if fits else f"broadcasting from {list(first)} to {list(second)}"


def _fits(longer: tuple[int, ...], shorter: tuple[int, ...]) -> bool:
    """Whether [x, y, z], [1, 1] or [b, z] broadcasts to [b, x, y, z]; the first two need b = 1."""
    if len(longer) != _MAX_RANK:
        return False
    if len(shorter) == _MAX_RANK - 1 or shorter == (1, 1):
        return longer[0] == 1
    return shorter == (longer[0], longer[3])


def _is_consumed_as_float(graph: _Graph, operator: Operator) -> str | None:
    """The output of a comparison has one reader, a CAST or SELECT with a float output."""
    if operator.name not in COMPARISONS:
        return None
    readers = [reader for i in operator.outputs for reader in graph.readers.get(i, [])]
    if len(readers) == 1 and readers[0].name in {"CAST", *SELECTS}:
        (output,) = graph.outputs(readers[0])
        if output.dtype in FLOATS:
            return None
    return "not followed by a single CAST or SELECT with a float output"


def _slices_images(graph: _Graph, operator: Operator) -> str | None:
    """Slices have 3 or 4 dimensions."""
    rank = len(graph.inputs(operator)[0].shape)
    return None if rank in (3, 4) else f"a slice with {rank} dimensions instead of 3 or 4"


def _has_supported_depth_multiplier(graph: _Graph, operator: Operator) -> str | None:
    """A depthwise convolution has as many output as input channels, or one input channel."""
    inputs, outputs = graph.inputs(operator)[0].shape[-1], graph.outputs(operator)[0].shape[-1]
    return None if inputs in (1, outputs) else "a depth multiplier with several input channels"


def _keeps_channels(graph: _Graph, operator: Operator) -> str | None:
    """The last dimension of a dense layer's input is that of its weights."""
    data, weights = graph.inputs(operator)[:2]
    return None if data.shape[-1:] == weights.shape[-1:] else "an input that it flattens itself"


def _selects_floats(graph: _Graph, operator: Operator) -> str | None:
    """SELECT selects from float tensors."""
    dtypes = {tensor.dtype for tensor in graph.inputs(operator)[1:]}
    return None if dtypes <= FLOATS else "supported in float only"


def _sums_floats(graph: _Graph, operator: Operator) -> str | None:
    """CUMSUM computes in float."""
    return None if graph.outputs(operator)[0].dtype in FLOATS else "supported in float only"


def _gathers_by_index_list(graph: _Graph, operator: Operator) -> str | None:
    """GATHER has a one-dimensional list of indices, and does not gather int32 values."""
    values, indices = graph.inputs(operator)[:2]
    fits = len(indices.shape) == 1 and values.dtype != "int32"
    return None if fits else "supported with a list of indices only, and not for int32"


def _pads_images(graph: _Graph, operator: Operator) -> str | None:
    """Padding has 3 or 4 dimensions."""
    fits = graph.inputs(operator)[1].shape in ((3, 2), (4, 2))
    return None if fits else "supported for 3 or 4 dimensions only"


def _has_supported_options(_: _Graph, operator: Operator) -> str | None:
    """Operators have no option set that the delegate does not support."""
    unsupported = {
        "FULLY_CONNECTED": ("weights_format",),
        "MIRROR_PAD": ("mode",),  # 0 reflects, 1 repeats the edge
        "STRIDED_SLICE": ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask"),
    }.get(operator.name, ())
    option = next((name for name in unsupported if operator.options.get(name)), None)
    if option is None and operator.name == "SOFTMAX" and operator.options.get("beta", 0) != 1:
        option = "beta"
    return f"unsupported {option}" if option else None


_OPERATOR_RULES: dict[str, _Rule] = {
    **dict.fromkeys(SLICES, _slices_images),
    "DEPTHWISE_CONV_2D": _has_supported_depth_multiplier,
    "FULLY_CONNECTED": _keeps_channels,
    **dict.fromkeys(SELECTS, _selects_floats),
    "CUMSUM": _sums_floats,
    "GATHER": _gathers_by_index_list,
    **dict.fromkeys(PADS, _pads_images),
}


def _passes_operator_rule(graph: _Graph, operator: Operator) -> str | None:
    """Operators with a rule of their own pass it."""
    rule = _OPERATOR_RULES.get(operator.name)
    return rule(graph, operator) if rule else None


_RULES: tuple[_Rule, ...] = (
    _is_supported,
    _has_supported_version,
    _has_supported_activations,
    _has_supported_constants,
    _has_static_shapes,
    _has_supported_operands,
    _has_supported_options,
    _has_distinct_operands,
    _broadcasts,
    _is_consumed_as_float,
    _passes_operator_rule,
)
