"""Which operator ends an interpreter's process: found by running the model up to each."""

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
    """An operator by its name in TensorFlow Lite, its layer, and its place in the graph."""

    operator: str
    layer: str
    position: int

    def __str__(self) -> str:
        """The operator and its layer in words."""
        return f"{self.operator} of the layer {self.layer!r}"


class RunOutcome(enum.Enum):
    """What became of a process that ran a model."""

    RAN = enum.auto()
    REFUSED = enum.auto()
    CRASHED = enum.auto()


def find_crashing_operator(
    model: bytes, fate: Callable[[bytes], RunOutcome], time_s: float
) -> CrashingOperator | None:
    """Find the first operator that the process does not survive, by bisection.

    ``fate`` runs a .tflite file on what ended the process before. Returns None where no operator
    is to blame: for a damaged file, if the model without operators ends the process too, or if the
    whole does not do it again; and after ``time_s``.
    """
    try:
        graph = read_tflite(model).main
        position = _first_crash(model, len(graph.operators), fate, time.monotonic() + time_s)
    except (ModelError, *DAMAGE):
        return None
    if position is None:
        return None
    blamed = graph.operators[position]
    return CrashingOperator(
        operator=blamed.name,
        layer=layer_names(graph)[blamed.outputs[0]] if blamed.outputs else blamed.name,
        position=position,
    )


def _first_crash(
    model: bytes, count: int, fate: Callable[[bytes], RunOutcome], deadline: float
) -> int | None:
    runs, crashes = 0, count
    if fate(first_operators(model, crashes)) is not RunOutcome.CRASHED:
        return None
    before = fate(first_operators(model, runs))
    if before is RunOutcome.CRASHED:
        return None
    while crashes - runs > 1:
        if time.monotonic() > deadline:
            return None
        middle = (runs + crashes) // 2
        found = fate(first_operators(model, middle))
        if found is RunOutcome.CRASHED:
            crashes = middle
        else:
            runs, before = middle, found
    # What was cut off may have mattered to what is left, if that does not run.
    return None if runs and before is RunOutcome.REFUSED else runs


def first_operators(model: bytes, count: int) -> bytes:
    """Cut a .tflite file off behind so many operators; it gives what the last of them writes."""
    rewrite = Rewrite(model)
    graph = rewrite.graph
    graph.operators = graph.operators[:count]
    rewrite.give(graph.operators[-1].outputs if graph.operators else graph.inputs)
    return rewrite.to_bytes()
