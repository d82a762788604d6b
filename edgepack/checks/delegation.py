"""Checks of what delegates and NPUs take of a model: the CPU runs the rest, which costs time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.checks.evidence import Evidence
from edgepack.checks.locations import listed
from edgepack.core.findings import Finding
from edgepack.devices.delegates import Undelegated, delegate_graph
from edgepack.devices.delegates.gpu import gpu_takes
from edgepack.devices.target import Target
from edgepack.tflite.graph import Model

_LITERT = "litert"


def gpu_takes_all(model: Model, target: Target) -> Iterator[Finding]:
    """The GPU delegate takes the whole graph; where it splits, the CPU runs the rest."""
    found = gpu_takes(model)
    if not found.left:
        return
    several = found.partitions > 1
    crossing = f"{found.crossing_bytes:,} bytes pass between CPU and GPU in each inference"
    yield _note(
        _takes("the GPU delegate", found.taken, found.operators)
        + (f", the largest of {found.partitions} parts" if several else ""),
        _rest("the CPU runs", found.left),
        *([crossing] if found.taken else []),
        left=found.left,
        cure="let it take more parts, by max_delegated_partitions" if several else None,
    )


def xnnpack_takes_all(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """In LiteRT XNNPACK takes the whole graph; where it splits, LiteRT's own kernels run the rest.

    The tflite-runtime package is built without XNNPACK for int8, which tells nothing of a phone.
    """
    run = evidence.runs.get(_LITERT)
    if run is not None and run.left_by_delegates:
        found = delegate_graph(evidence.model.main, dict.fromkeys(run.left_by_delegates))
        yield _note(
            _takes("XNNPACK", found.taken, found.operators)
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
            _takes("the NPU", taken, compiled.plan.operators),
            _rest("the CPU runs", left),
            left=left,
        )


def npu_plan_fits(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """What Vela plans for the NPU fits into RAM and flash, less the share of the application."""
    compiled = evidence.compilations.get(target.accelerator or "")
    if compiled is None or compiled.plan is None:
        return
    for what, size, left, where in (
        ("activations take", compiled.plan.sram_bytes, target.model_ram_bytes, "RAM"),
        ("the compiled model takes", compiled.plan.file_bytes, target.model_flash_bytes, "flash"),
    ):
        if left is not None and size > left:
            yield Finding(
                message=f"on the NPU {what} {size:,} of {left:,} bytes of {where}",
                cure="choose a smaller model, or a device with more",
            )


def _takes(who: str, taken: int, operators: int) -> str:
    return f"{who} takes {taken} of {operators} operators" if taken else f"{who} takes no operator"


def _rest(told: str, left: Sequence[Undelegated]) -> str:
    """Say who runs what is left: each kind of operator once, by the reason that its first is left.

    >>> def left(i, name, why): return Undelegated(index=i, operator=name, layer="", why=why)
    >>> ab = [left(i, name, "no such operator") for i, name in enumerate("ABA")]
    >>> _rest("the CPU runs", [*ab, left(3, "C", None)])
    'the CPU runs A and B (no such operator), C'
    """
    firsts: dict[str, str | None] = {}
    for each in left:
        firsts.setdefault(each.operator, each.why)
    kinds: dict[str | None, list[str]] = {}
    for kind, why in firsts.items():
        kinds.setdefault(why, []).append(kind)
    return f"{told} " + ", ".join(
        _and(names) + (f" ({why})" if why else "") for why, names in kinds.items()
    )


def _and(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _note(*told: str, left: Sequence[Undelegated], cure: str | None = None) -> Finding:
    """Make a note that lies where operators are left."""
    return Finding(
        message="; ".join(told),
        cure=cure,
        operator=left[0].operator,
        layer=listed(each.layer for each in left),
        is_note=True,
    )
