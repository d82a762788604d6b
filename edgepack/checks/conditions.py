"""When a check applies to a target: where it does not, it is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgepack.checks.budgets import (
    arena_is_in_budget,
    drop_is_in_budget,
    flash_is_in_budget,
    latency_is_in_budget,
)
from edgepack.checks.delegates import (
    gpu_takes_all,
    npu_plan_fits,
    npu_takes_all,
    xnnpack_takes_all,
)
from edgepack.checks.evidence import Evidence
from edgepack.checks.full_integer import nothing_is_left_in_float
from edgepack.checks.memory import flash_fits, ram_fits
from edgepack.checks.operators import operators_are_taken
from edgepack.checks.runs import micro_is_bit_exact
from edgepack.checks.shapes import shapes_are_fixed
from edgepack.findings import Finding
from edgepack.target import Target

_Condition = Callable[[Target, Evidence], object]


def _is_set(budget: str) -> _Condition:
    return lambda target, evidence: any(
        getattr(each, budget) is not None for each in (*evidence.budgets.values(), target.budgets)
    )


def _has_npu(target: Target, _: Evidence) -> bool:
    return target.accelerator is not None


def _is_compiled(target: Target, evidence: Evidence) -> bool:
    return target.accelerator in evidence.compilations


_CONDITIONS: tuple[tuple[Callable[..., Iterator[Finding]], _Condition, str], ...] = (
    (operators_are_taken, lambda target, _: target.operators, "the target names no operators"),
    (
        shapes_are_fixed,
        lambda target, _: target.kind == "microcontroller",
        "the target is no microcontroller",
    ),
    (
        nothing_is_left_in_float,
        lambda target, _: target.quantization == "full-integer",
        "the target takes float",
    ),
    (gpu_takes_all, lambda target, _: "gpu" in target.delegates, "the target has no GPU delegate"),
    (
        micro_is_bit_exact,
        lambda target, _: "tflm" in target.interpreters,
        "the target does not run tflm",
    ),
    (
        micro_is_bit_exact,
        lambda _, evidence: evidence.deviations.get("tflm"),
        "nothing was compared with the reference kernels",
    ),
    (
        flash_fits,
        lambda target, _: target.flash_bytes is not None,
        "the target has no limit of flash",
    ),
    (ram_fits, lambda target, _: target.ram_bytes is not None, "the target has no limit of RAM"),
    (
        xnnpack_takes_all,
        lambda target, _: "xnnpack" in target.delegates and "litert" in target.interpreters,
        "the target has no LiteRT with XNNPACK",
    ),
    (npu_takes_all, _has_npu, "the target has no NPU"),
    (npu_takes_all, _is_compiled, "nothing was compiled for the NPU"),
    (npu_plan_fits, _has_npu, "the target has no NPU"),
    (npu_plan_fits, _is_compiled, "nothing was compiled for the NPU"),
    (drop_is_in_budget, _is_set("max_drop"), "no max_drop is set"),
    (flash_is_in_budget, _is_set("max_flash"), "no max_flash is set"),
    (arena_is_in_budget, _is_set("max_arena"), "no max_arena is set"),
    (arena_is_in_budget, lambda target, _: target.kernels, "the target has no arena"),
    (latency_is_in_budget, _is_set("max_latency_ratio"), "no max_latency_ratio is set"),
)
"""A check, what must be true for it to apply, and what is the matter if that is not."""


def why_not(
    check: Callable[..., Iterator[Finding]], target: Target, evidence: Evidence
) -> str | None:
    """Say why a check does not apply to a target; None if it does."""
    for conditional, holds, otherwise in _CONDITIONS:
        if conditional is check and not holds(target, evidence):
            return otherwise
    return None
