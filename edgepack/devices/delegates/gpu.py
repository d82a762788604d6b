"""Which operators LiteRT's GPU delegate takes: Android through OpenCL, iOS through Metal.

The rules are those of LiteRT's own sources: operators, versions and tensors of
``tflite/delegates/gpu/common/model_builder.cc``, the rest of
``tflite/tools/versioning/gpu_compatibility.cc``; the page on GPU delegates names fewer
(https://ai.google.dev/edge/litert/performance/gpu).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from edgepack.devices.delegates import Delegation, delegate_graph
from edgepack.devices.delegates.gpu_operators import (
    BINARY,
    BYTES,
    COMPARISONS,
    CONSTANTS,
    FLOATS,
    GIVES,
    NEWEST,
    ONE_COMPUTED,
    PADS,
    SELECTS,
    SLICES,
    TAKES,
    UP_TO_TWO,
)
from edgepack.tflite.graph import Graph, Model, Operator, Tensor

_MAX_RANK = 4


def gpu_takes(model: Model) -> Delegation:
    """Tell whether the GPU delegate takes the whole main graph, or where it splits.

    By default the delegate takes the largest part alone (``max_delegated_partitions`` is 1).
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
    except (IndexError, ValueError):  # the file may hold anything
        yield "too few inputs or outputs"


@dataclass(frozen=True)
class _Graph:
    """A graph, and which of its tensors are computed; the others are constants."""

    graph: Graph

    @cached_property
    def computed(self) -> frozenset[int]:
        """Weights kept in float16 count as constants: the delegate skips their DEQUANTIZE."""
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
        found: dict[int, list[Operator]] = {}
        for operator in self.graph.operators:
            for i in operator.inputs:
                found.setdefault(i, []).append(operator)
        return found

    def computed_inputs(self, operator: Operator) -> list[Tensor]:
        return [self.graph.tensors[i] for i in operator.inputs if i in self.computed]

    def inputs(self, operator: Operator) -> list[Tensor]:
        """Those that are there: an input of -1 is left out."""
        return [self.graph.tensors[i] for i in operator.inputs if i >= 0]

    def outputs(self, operator: Operator) -> list[Tensor]:
        return [self.graph.tensors[i] for i in operator.outputs]


_Rule = Callable[[_Graph, Operator], str | None]


def _is_known(_: _Graph, operator: Operator) -> str | None:
    """The delegate has the operator."""
    return None if operator.name in NEWEST else "no such operator"


def _is_of_known_version(_: _Graph, operator: Operator) -> str | None:
    """The operator's version is one that the delegate knows."""
    newest = NEWEST[operator.name]
    if operator.version <= newest:
        return None
    return f"version {operator.version}, taken up to {newest}"


def _types_are_taken(graph: _Graph, operator: Operator) -> str | None:
    """Activations are float, or 8 bits wide with one scale, which the delegate dequantizes."""
    name = operator.name
    sides = (
        (graph.computed_inputs(operator), TAKES.get(name, frozenset())),
        (graph.outputs(operator), GIVES.get(name, frozenset())),
    )
    for tensors, besides in sides:
        for tensor in tensors:
            if tensor.dtype in BYTES and (tensor.quant is None or tensor.quant.axis is not None):
                return f"{tensor.dtype} activations without one scale for all"
            if tensor.dtype not in FLOATS | BYTES | besides:
                return f"activations of {tensor.dtype}"
    return None


def _constants_are_taken(graph: _Graph, operator: Operator) -> str | None:
    """Constants are of types that the delegate converts to float; int4 is none."""
    for i in operator.inputs:
        if i >= 0 and i not in graph.computed:
            dtype = graph.graph.tensors[i].dtype
            if dtype not in CONSTANTS:
                return f"constants of {dtype}"
    return None


def _shapes_are_static(graph: _Graph, operator: Operator) -> str | None:
    """Tensors have at most 4 dimensions, and sizes that are known before the first inference."""
    for tensor in (*graph.inputs(operator), *graph.outputs(operator)):
        if len(tensor.shape) > _MAX_RANK:
            return f"tensors of {len(tensor.shape)} dimensions"
    for tensor in (*graph.computed_inputs(operator), *graph.outputs(operator)):
        if any(size <= 0 for size in tensor.shape):
            return "sizes that are not known in advance"
    return None


def _operands_are_taken(graph: _Graph, operator: Operator) -> str | None:
    """What the delegate wants as constants, such as axes and shapes, is constant."""
    computed = len(graph.computed_inputs(operator))
    if operator.name in ONE_COMPUTED and computed != 1:
        return f"{computed} computed inputs for 1"
    if operator.name in UP_TO_TWO and not 1 <= computed <= 2:  # noqa: PLR2004 (its name)
        return f"{computed} computed inputs for 1 or 2"
    if operator.name in BINARY and (len(operator.inputs) != 2 or computed == 0):  # noqa: PLR2004
        return f"{len(operator.inputs)} inputs for 2"
    if operator.name == "FULLY_CONNECTED" and operator.inputs[0] not in graph.computed:
        return "a constant as its input"
    return None


def _operands_differ(_: _Graph, operator: Operator) -> str | None:
    """The two operands of an operator differ; the delegate makes a SQUARE of x * x."""
    if operator.name in BINARY - {"ADD", "MUL"} and operator.inputs[0] == operator.inputs[1]:
        return "twice the same operand"
    return None


def _operands_broadcast(graph: _Graph, operator: Operator) -> str | None:
    """ADD and MUL broadcast in the ways that the delegate has."""
    if operator.name not in ("ADD", "MUL"):
        return None
    first, second = sorted((tensor.shape for tensor in graph.inputs(operator)), key=len)
    if len(first) == len(second):
        smaller = [(a < b, b < a) for a, b in zip(first, second, strict=True)]
        crossed = any(a for a, _ in smaller) and any(b for _, b in smaller)
        fits = operator.name == "ADD" or not crossed
    else:
        fits = len(first) <= 1 or _fits(second, first)
    return None if fits else f"broadcasting of {list(first)} to {list(second)}"


def _fits(longer: tuple[int, ...], shorter: tuple[int, ...]) -> bool:
    """Whether [x, y, z], [1, 1] or [b, z] goes with [b, x, y, z]; the first two if b is 1."""
    if len(longer) != _MAX_RANK:
        return False
    if len(shorter) == _MAX_RANK - 1 or shorter == (1, 1):
        return longer[0] == 1
    return shorter == (longer[0], longer[3])


def _is_consumed_as_float(graph: _Graph, operator: Operator) -> str | None:
    """What a comparison gives goes to one CAST or SELECT, and becomes float there."""
    if operator.name not in COMPARISONS:
        return None
    readers = [reader for i in operator.outputs for reader in graph.readers.get(i, [])]
    if len(readers) == 1 and readers[0].name in {"CAST", *SELECTS}:
        (given,) = graph.outputs(readers[0])
        if given.dtype in FLOATS:
            return None
    return "not before one CAST or SELECT that gives float"


def _is_a_slice_of_images(graph: _Graph, operator: Operator) -> str | None:
    """Slices are taken of 3 or 4 dimensions."""
    taken = len(graph.inputs(operator)[0].shape)
    return None if taken in (3, 4) else f"a slice of {taken} dimensions, taken of 3 or 4"


def _multiplies_one_channel(graph: _Graph, operator: Operator) -> str | None:
    """A depthwise convolution gives as many channels as it takes, or takes one."""
    taken, given = graph.inputs(operator)[0].shape[-1], graph.outputs(operator)[0].shape[-1]
    return None if taken in (1, given) else "a depth multiplier of several channels"


def _keeps_its_channels(graph: _Graph, operator: Operator) -> str | None:
    """The last dimension of a dense layer's input is that of its weights."""
    taken, weights = graph.inputs(operator)[:2]
    return None if taken.shape[-1:] == weights.shape[-1:] else "an input that it flattens itself"


def _selects_floats(graph: _Graph, operator: Operator) -> str | None:
    """SELECT chooses between float tensors."""
    choices = {tensor.dtype for tensor in graph.inputs(operator)[1:]}
    return None if choices <= FLOATS else "taken in float only"


def _sums_floats(graph: _Graph, operator: Operator) -> str | None:
    """CUMSUM is taken in float."""
    return None if graph.outputs(operator)[0].dtype in FLOATS else "taken in float only"


def _gathers_by_list(graph: _Graph, operator: Operator) -> str | None:
    """GATHER takes a list of indices, and no int32 to choose from."""
    choices, indices = graph.inputs(operator)[:2]
    fits = len(indices.shape) == 1 and choices.dtype != "int32"
    return None if fits else "taken with a list of indices only, and not of int32"


def _pads_images(graph: _Graph, operator: Operator) -> str | None:
    """Padding is taken of 3 or 4 dimensions."""
    fits = graph.inputs(operator)[1].shape in ((3, 2), (4, 2))
    return None if fits else "taken of 3 or 4 dimensions only"


def _options_are_taken(_: _Graph, operator: Operator) -> str | None:
    """Some operators are taken with some of their options only."""
    refused = {
        "FULLY_CONNECTED": ("weights_format",),
        "MIRROR_PAD": ("mode",),  # 0 reflects, 1 repeats the edge
        "STRIDED_SLICE": ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask"),
    }.get(operator.name, ())
    given = next((name for name in refused if operator.options.get(name)), None)
    if given is None and operator.name == "SOFTMAX" and operator.options.get("beta", 0) != 1:
        given = "beta"
    return f"not with this {given}" if given else None


_OF_KINDS: dict[str, _Rule] = {
    **dict.fromkeys(SLICES, _is_a_slice_of_images),
    "DEPTHWISE_CONV_2D": _multiplies_one_channel,
    "FULLY_CONNECTED": _keeps_its_channels,
    **dict.fromkeys(SELECTS, _selects_floats),
    "CUMSUM": _sums_floats,
    "GATHER": _gathers_by_list,
    **dict.fromkeys(PADS, _pads_images),
}


def _fits_its_kind(graph: _Graph, operator: Operator) -> str | None:
    """Some operators are taken in part."""
    rule = _OF_KINDS.get(operator.name)
    return rule(graph, operator) if rule else None


_RULES: tuple[_Rule, ...] = (
    _is_known,
    _is_of_known_version,
    _types_are_taken,
    _constants_are_taken,
    _shapes_are_static,
    _operands_are_taken,
    _options_are_taken,
    _operands_differ,
    _operands_broadcast,
    _is_consumed_as_float,
    _fits_its_kind,
)
