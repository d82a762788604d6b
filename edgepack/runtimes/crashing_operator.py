"""Find the operator that crashes an interpreter, by running truncated copies of the model."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgepack.core.errors import ModelError
from edgepack.tflite.layer_names import layer_names
from edgepack.tflite.parser import DAMAGE, read_tflite
from edgepack.tflite.rewrite import Rewrite


@dataclass(frozen=True, kw_only=True)
class CrashingOperator:
    """An operator by its name in TensorFlow Lite, its layer, and its index in the graph."""

    operator: str
    layer: str
    position: int

    def __str__(self) -> str:
        """The operator and its layer, for a message."""
        return f"{self.operator} of the layer {self.layer!r}"


class RunOutcome(enum.Enum):
    """The outcome of running a model in a process."""

    RAN = enum.auto()
    REFUSED = enum.auto()
    CRASHED = enum.auto()


def find_crashing_operator(
    model: bytes, run_model: Callable[[bytes], RunOutcome], time_s: float
) -> CrashingOperator | None:
    """Find the first operator that crashes the process, by bisection.

    ``run_model`` runs a .tflite file on the samples that crashed the process before. Returns None
    if no operator is to blame: for a damaged file, if the model crashes without operators too, or
    if the whole model does not crash again. Also returns None after ``time_s`` seconds.
    """
    try:
        graph = read_tflite(model).main
        position = _first_crash(model, len(graph.operators), run_model, time.monotonic() + time_s)
    except (ModelError, *DAMAGE):
        return None
    if position is None:
        return None
    operator = graph.operators[position]
    return CrashingOperator(
        operator=operator.name,
        layer=layer_names(graph)[operator.outputs[0]] if operator.outputs else operator.name,
        position=position,
    )


def _first_crash(
    model: bytes, count: int, run_model: Callable[[bytes], RunOutcome], deadline: float
) -> int | None:
    runs, crashes = 0, count  # so many first operators run, so many crash
    if run_model(first_operators(model, crashes)) is not RunOutcome.CRASHED:
        return None
    outcome_before = run_model(first_operators(model, runs))
    if outcome_before is RunOutcome.CRASHED:
        return None
    while crashes - runs > 1:
        if time.monotonic() > deadline:
            return None
        middle = (runs + crashes) // 2
        outcome = run_model(first_operators(model, middle))
        if outcome is RunOutcome.CRASHED:
            crashes = middle
        else:
            runs, outcome_before = middle, outcome
    # If the operators before it are refused by themselves, truncation may have caused the crash.
    return None if runs and outcome_before is RunOutcome.REFUSED else runs


def first_operators(model: bytes, count: int) -> bytes:
    """Truncate a .tflite file after its first ``count`` operators.

    The outputs of the last of them become those of the model.
    """
    rewrite = Rewrite(model)
    graph = rewrite.graph
    graph.operators = graph.operators[:count]
    rewrite.set_outputs(graph.operators[-1].outputs if graph.operators else graph.inputs)
    return rewrite.to_bytes()
