"""Conditions under which checks apply to a target, each with the reason if it does not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgepack.checks.evidence import Evidence
from edgepack.devices.target import Target


@dataclass(frozen=True)
class Condition:
    """What must hold for a check to apply, and the reason to report ``otherwise``."""

    holds: Callable[[Target, Evidence], object]
    otherwise: str


def is_set(budget: str) -> Condition:
    """Return the condition that a budget is set for the command, project or target."""
    return Condition(
        lambda target, evidence: any(
            getattr(each, budget) is not None
            for each in (*evidence.budgets.values(), target.budgets)
        ),
        f"no {budget} is set",
    )


NAMES_OPERATORS = Condition(lambda target, _: target.operators, "the target lists no operators")
IS_MICROCONTROLLER = Condition(
    lambda target, _: target.kind == "microcontroller", "the target is not a microcontroller"
)
DEMANDS_INTEGERS = Condition(
    lambda target, _: target.quantization == "full-integer", "the target supports float"
)
HAS_GPU = Condition(lambda target, _: "gpu" in target.delegates, "the target has no GPU delegate")
HAS_XNNPACK = Condition(
    lambda target, _: "xnnpack" in target.delegates and "litert" in target.interpreters,
    "the target does not run LiteRT with XNNPACK",
)
RUNS_TFLM = Condition(
    lambda target, _: "tflm" in target.interpreters, "the target does not run tflm"
)
IS_COMPARED = Condition(
    lambda _, evidence: evidence.deviations.get("tflm"),
    "nothing was compared with the reference kernels",
)
IS_COMPARED_WITH_FLOAT = Condition(
    lambda target, evidence: any(name in evidence.closeness for name in target.interpreters),
    "nothing was compared with a float model",
)
HAS_CHANNELS = Condition(
    lambda _, evidence: evidence.channels, "nothing was compared with a float model"
)
HAS_FLASH = Condition(
    lambda target, _: target.flash_bytes is not None, "the target sets no flash limit"
)
HAS_RAM = Condition(lambda target, _: target.ram_bytes is not None, "the target sets no RAM limit")
HAS_ARENA = Condition(lambda target, _: target.kernels, "the target has no arena")
HAS_NPU = Condition(lambda target, _: target.accelerator is not None, "the target has no NPU")
IS_COMPILED = Condition(
    lambda target, evidence: target.accelerator in evidence.compilations,
    "nothing was compiled for the NPU",
)
