"""Checks of what delegates and NPUs take of a model: the CPU runs the rest, which costs time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.checks.evidence import Evidence
from edgepack.delegates import Left, split
from edgepack.delegates.gpu import gpu_takes
from edgepack.findings import Finding
from edgepack.target import Target
from edgepack.types import Model

_LITERT = "litert"


def gpu_takes_all(model: Model, target: Target) -> Iterator[Finding]:
    """The GPU delegate takes the whole graph; where it splits, the CPU runs the rest."""
    if "gpu" not in target.delegates:
        return
    found = gpu_takes(model)
    if not found.left:
        return
    several = found.partitions > 1
    yield _note(
        f"the GPU delegate takes {found.taken or 'none'} of {found.operators} operators"
        + (f", the largest of {found.partitions} parts" if several else ""),
        _rest("the CPU runs", found.left),
        f"{found.crossing_bytes:,} bytes pass between CPU and GPU in each inference",
        left=found.left,
        cure="let it take more parts, by max_delegated_partitions" if several else None,
    )


def xnnpack_takes_all(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """In LiteRT XNNPACK takes the whole graph; where it splits, LiteRT's own kernels run the rest.

    The tflite-runtime package is built without XNNPACK for int8, which tells nothing of a phone.
    """
    run = evidence.runs.get(_LITERT)
    if "xnnpack" not in target.delegates or _LITERT not in target.interpreters:
        return
    if run is not None and run.left_by_delegates:
        found = split(evidence.model.main, dict.fromkeys(run.left_by_delegates))
        yield _note(
            f"XNNPACK takes {found.taken or 'none'} of {found.operators} operators"
            + (f", in {found.partitions} parts" if found.partitions > 1 else ""),
            _rest("LiteRT's own kernels run", found.left),
            left=found.left,
        )


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
        yield _note(
            f"the NPU takes {taken or 'none'} of {compiled.plan.operators} operators",
            _rest("the CPU runs", left),
            left=left,
        )


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


def _rest(told: str, left: Sequence[Left]) -> str:
    """Say who runs what is left, each kind of operator once, and why its first is left.

    >>> left = [Left(index=3, operator="GATHER", layer="embedding", why="no such operator")]
    >>> _rest("the CPU runs", left)
    'the CPU runs GATHER (no such operator)'
    """
    kinds: dict[str, str] = {}
    for each in left:
        kinds.setdefault(each.operator, f" ({each.why})" if each.why else "")
    return f"{told} " + ", ".join(kind + why for kind, why in kinds.items())


def _note(*told: str, left: Sequence[Left], cure: str | None = None) -> Finding:
    """Make a note that lies where the first operator is left."""
    return Finding(
        message="; ".join(told),
        cure=cure,
        operator=left[0].operator,
        layer=left[0].layer,
        is_note=True,
    )
