"""What must hold for a model to pass on a target: small functions, documented by docstrings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgepack.runtimes.processes import Run
from edgepack.target import Target
from edgepack.types import Model
from edgepack.validate import Deviation


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What validation found: by runtime, deviations by output too, and the size of the model.

    ``tolerated_lsb`` is what TensorFlow Lite Micro may differ from the reference kernels by.
    """

    model_bytes: int
    tolerated_lsb: int = 0
    runs: Mapping[str, Run]
    deviations: Mapping[str, Mapping[str, Deviation]]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a target can run the model, and if not, why."""

    passed: bool
    reasons: tuple[str, ...]


def interpreters_run(target: Target, evidence: Evidence) -> list[str]:
    """Each of the target's interpreters that is installed here runs the model on every input."""
    return [
        f"{name} fails: {run.failure}"
        for name, run in evidence.runs.items()
        if name in target.interpreters and run.failure
    ]


def tolerated_lsb(model: Model) -> int:
    """Tell by how much TensorFlow Lite Micro may differ from the reference kernels: bit by bit 0.

    In int16, SOFTMAX looks its values up in tables, which the two round otherwise: 1.
    """
    graph = model.main
    return int(
        any(
            operator.name == "SOFTMAX" and graph.tensors[operator.outputs[0]].dtype == "int16"
            for operator in graph.operators
        )
    )


def micro_is_bit_exact(target: Target, evidence: Evidence) -> list[str]:
    """TensorFlow Lite Micro's outputs equal the reference kernels', but for what is tolerated."""
    if "tflm" not in target.interpreters:
        return []
    found = evidence.deviations.get("tflm", {}).values()
    worst = max(found, key=lambda deviation: deviation.max_lsb, default=None)
    if worst is None or worst.max_lsb <= evidence.tolerated_lsb:
        return []
    return [f"tflm differs from the reference kernels by up to {worst.largest}"]


def flash_fits(target: Target, evidence: Evidence) -> list[str]:
    """The model alone is no larger than the flash."""
    return _exceeds("the model", evidence.model_bytes, target.flash_bytes, "flash")


def arena_fits(target: Target, evidence: Evidence) -> list[str]:
    """The tensor arena alone, measured on this host, is no larger than the RAM."""
    arenas = [
        run.arena_bytes
        for name, run in evidence.runs.items()
        if name in target.interpreters and run.arena_bytes is not None
    ]
    return _exceeds("the tensor arena", max(arenas, default=0), target.ram_bytes, "RAM")


def _exceeds(what: str, size: int, limit: int | None, where: str) -> list[str]:
    if limit is None or size <= limit:
        return []
    return [f"{what} takes {size:,} bytes of {limit:,} bytes of {where}"]


CHECKS = (interpreters_run, micro_is_bit_exact, flash_fits, arena_fits)


def judge(target: Target, evidence: Evidence) -> Verdict:
    """Apply every check to a target."""
    reasons = tuple(reason for check in CHECKS for reason in check(target, evidence))
    return Verdict(passed=not reasons, reasons=reasons)
