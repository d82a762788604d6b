"""Find the operator that an interpreter refuses, or that crashes it, in truncated models."""

from __future__ import annotations

import enum
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgepack.core.errors import ModelError
from edgepack.tflite.graph import Graph
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.parser import DAMAGE, read_tflite
from edgepack.tflite.rewrite import Rewrite

_NODE = re.compile(r"Node number (\d+) \((\w+)\) failed")
_UNREGISTERED = re.compile(
    r"(?:builtin opcode|unresolved custom op:) '?(\w+)'?(?: version '(\d+)')?"
)


@dataclass(frozen=True, kw_only=True)
class FailingOperator:
    """An operator by its name in TensorFlow Lite, its layer, and its index in the graph."""

    operator: str
    layer: str
    position: int

    def __str__(self) -> str:
        """The operator and its layer, for a message."""
        return f"{self.operator} of the layer {self.layer!r}"


class RunOutcome(enum.Enum):
    """The outcome of running a model in a process.

    A truncated model is ``REFUSED`` if that is for the reason of the whole model's refusal;
    ``FAILED`` is any other refusal.
    """

    RAN = enum.auto()
    REFUSED = enum.auto()
    CRASHED = enum.auto()
    FAILED = enum.auto()


def operator_in_message(model: bytes, message: str) -> FailingOperator | None:
    """Return the operator that an interpreter's message names by its index, or by its version."""
    try:
        graph = read_tflite(model).main
    except ModelError:
        return None
    if node := _NODE.search(message):
        position = int(node[1])
        is_it = position < len(graph.operators) and graph.operators[position].name == node[2]
        return _failing(graph, position) if is_it else None
    if missing := _UNREGISTERED.search(message):
        name, version = missing[1], missing[2]
        for position, operator in enumerate(graph.operators):
            if operator.name == name and version in (None, str(operator.version)):
                return _failing(graph, position)
    return None


def find_failing_operator(
    model: bytes, run_model: Callable[[bytes], RunOutcome], failure: RunOutcome, time_s: float
) -> FailingOperator | None:
    """Find the first operator with which a model is refused or crashes, by bisection.

    ``run_model`` runs a .tflite file on the samples that had the outcome ``failure`` before.
    Returns None if no operator is to blame: for a damaged file, if the model fails without
    operators too, or if the whole model does not fail again. Also returns None after ``time_s``
    seconds.
    """
    try:
        graph = read_tflite(model).main
        deadline = time.monotonic() + time_s
        position = _first_failure(model, len(graph.operators), run_model, failure, deadline)
    except (ModelError, *DAMAGE):
        return None
    return None if position is None else _failing(graph, position)


def _failing(graph: Graph, position: int) -> FailingOperator:
    operator = graph.operators[position]
    return FailingOperator(
        operator=operator.name,
        layer=layer_names(graph)[operator.outputs[0]] if operator.outputs else operator.name,
        position=position,
    )


def _first_failure(
    model: bytes,
    count: int,
    run_model: Callable[[bytes], RunOutcome],
    failure: RunOutcome,
    deadline: float,
) -> int | None:
    works, fails = 0, count  # so many first operators do not fail, so many do
    if run_model(first_operators(model, fails)) is not failure:
        return None
    outcome_before = run_model(first_operators(model, works))
    if outcome_before is failure:
        return None
    while fails - works > 1:
        if time.monotonic() > deadline:
            return None
        middle = (works + fails) // 2
        outcome = run_model(first_operators(model, middle))
        if outcome is failure:
            fails = middle
        else:
            works, outcome_before = middle, outcome
    # If the operators before it fail otherwise by themselves, truncation may be the cause.
    return None if works and outcome_before is not RunOutcome.RAN else works


def first_operators(model: bytes, count: int) -> bytes:
    """Truncate a .tflite file after its first ``count`` operators.

    The outputs of the last of them become those of the model.
    """
    rewrite = Rewrite(model)
    graph = rewrite.graph
    graph.operators = graph.operators[:count]
    rewrite.set_outputs(graph.operators[-1].outputs if graph.operators else graph.inputs)
    return rewrite.to_bytes()
