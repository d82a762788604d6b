"""Checks of what delegates and NPUs take of a model: the CPU runs the rest, which costs time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.checks.evidence import Evidence
from edgepack.delegates import Left, Split
from edgepack.delegates.gpu import gpu_takes
from edgepack.findings import Finding
from edgepack.target import Target
from edgepack.types import Model


def gpu_takes_all(model: Model, target: Target) -> Iterator[Finding]:
    """The GPU delegate takes the whole graph; where it splits, the CPU runs the rest."""
    if "gpu" not in target.delegates:
        return
    split = gpu_takes(model)
    if not split.is_whole:
        more = split.partitions > 1
        yield _note(
            f"the GPU delegate takes {_parts(split)}"
            + (", the largest alone unless the application asks for more," if more else "")
            + f" and {split.crossing_bytes:,} bytes pass between CPU and GPU in each inference",
            split.left,
            "raise max_delegated_partitions, or replace what it leaves" if more else None,
        )


def xnnpack_takes_all(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """XNNPACK takes the whole graph; where it splits, the interpreter's own kernels run the rest."""
    if "xnnpack" not in target.delegates:
        return
    for name in target.interpreters:
        split = evidence.splits.get(name)
        if split and not split.is_whole:
            yield _note(f"XNNPACK in {name} takes {_parts(split)}", split.left)


def npu_takes_all(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Vela compiles the model for the NPU, which takes every operator or leaves it to the CPU."""
    compiled = evidence.compilations.get(target.accelerator or "")
    if compiled is None:
        return
    if compiled.plan is None:
        yield Finding(
            message=f"Vela {compiled.version} {compiled.failure} on {compiled.accelerator}",
            cure="quantize to int8, all of it",
        )
    elif left := compiled.plan.left:
        taken = compiled.plan.operators - len(left)
        yield _note(f"the NPU takes {taken} of {compiled.plan.operators} operators", left)


def npu_plan_fits(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """What Vela plans for the NPU fits into RAM and flash, less the share of the application."""
    compiled = evidence.compilations.get(target.accelerator or "")
    if compiled is None or compiled.plan is None:
        return
    for what, size, left, where in (
        ("activations", compiled.plan.sram_bytes, target.model_ram_bytes, "RAM"),
        ("the compiled model", compiled.plan.file_bytes, target.model_flash_bytes, "flash"),
    ):
        if left is not None and size > left:
            yield Finding(
                message=f"on the NPU {what} take {size:,} of {left:,} bytes of {where}",
                cure="choose a smaller model, or a device with more",
            )


def _parts(split: Split) -> str:
    """Say how much is taken.

    >>> _parts(Split(operators=9, left=(), partitions=2, taken=8, crossing_bytes=0))
    '8 of 9 operators, which are in 2 parts'
    """
    told = f"{split.taken} of {split.operators} operators"
    return told if split.partitions <= 1 else f"{told}, which are in {split.partitions} parts"


def _note(told: str, left: Sequence[Left], cure: str | None = None) -> Finding:
    """Make a note that names the kinds of operators that are left, and where the first lies."""
    kinds = ", ".join(dict.fromkeys(each.operator for each in left))
    first = left[0] if left else None
    why = f" ({first.why})" if first and first.why else ""
    return Finding(
        message=f"{told}; the CPU runs {kinds}{why}" if first else told,
        cure=cure,
        operator=first.operator if first else None,
        layer=first.layer if first else None,
        is_note=True,
    )
