"""Checks of whether delegates and NPUs run the whole model: the rest is slower, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgepack.checks.evidence import Evidence
from edgepack.checks.locations import listed
from edgepack.core.findings import Finding
from edgepack.devices.delegates import Undelegated, delegate_graph
from edgepack.devices.delegates.gpu import gpu_delegation
from edgepack.devices.target import Target
from edgepack.tflite.graph import Model

_LITERT = "litert"


def gpu_takes_all(model: Model, target: Target) -> Iterator[Finding]:
    """The GPU delegate runs the whole graph. If it does not, the CPU runs the rest."""
    delegation = gpu_delegation(model)
    if not delegation.left:
        return
    several = delegation.partitions > 1
    crossing = f"{delegation.crossing_bytes:,} bytes pass between CPU and GPU in each inference"
    yield _note(
        _delegated("the GPU delegate", delegation.delegated, delegation.operators)
        + (f", the largest of {delegation.partitions} parts" if several else ""),
        _rest("the CPU runs", delegation.left),
        *([crossing] if delegation.delegated else []),
        left=delegation.left,
        cure="let it run more parts, with max_delegated_partitions" if several else None,
    )


def xnnpack_takes_all(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """XNNPACK in LiteRT runs the whole graph. If it does not, LiteRT's own kernels run the rest.

    The tflite-runtime package is not checked: it is built without XNNPACK for int8, unlike on
    phones.
    """
    run = evidence.runs.get(_LITERT)
    if run is not None and run.left_by_delegates:
        delegation = delegate_graph(evidence.model.main, dict.fromkeys(run.left_by_delegates))
        yield _note(
            _delegated("XNNPACK", delegation.delegated, delegation.operators)
            + (f", in {delegation.partitions} parts" if delegation.partitions > 1 else ""),
            _rest("LiteRT's own kernels run", delegation.left),
            left=delegation.left,
        )


def npu_takes_all(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Vela compiles the model for the NPU, which runs the whole graph.

    If it does not, the CPU runs the rest.
    """
    compiled = evidence.compilations.get(target.accelerator or "")
    if compiled is None:
        return
    if compiled.plan is None:
        yield Finding(
            message=f"Vela {compiled.version} {compiled.failure} on {compiled.accelerator}",
            cure="quantize the whole model to int8",
        )
    elif left := compiled.plan.left:
        delegated = compiled.plan.operators - len(left)
        yield _note(
            _delegated("the NPU", delegated, compiled.plan.operators),
            _rest("the CPU runs", left),
            left=left,
        )


def npu_plan_fits(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Vela's plan for the NPU fits into RAM and flash, less the application's share."""
    compiled = evidence.compilations.get(target.accelerator or "")
    if compiled is None or compiled.plan is None:
        return
    for what, size, available, memory in (
        ("activations take", compiled.plan.sram_bytes, target.model_ram_bytes, "RAM"),
        ("the compiled model takes", compiled.plan.file_bytes, target.model_flash_bytes, "flash"),
    ):
        if available is not None and size > available:
            yield Finding(
                message=f"on the NPU {what} {size:,} of {available:,} bytes of {memory}",
                cure="choose a smaller model, or a device with more memory",
            )


def _delegated(delegate: str, count: int, operators: int) -> str:
    return f"{delegate} runs {f'{count} of {operators} operators' if count else 'no operator'}"


def _rest(subject: str, left: Sequence[Undelegated]) -> str:
    """Return a clause that lists each kind of operator left once, with the reason of the first.

    ``subject`` begins the clause, such as "the CPU runs".

    >>> def left(i, name, why): return Undelegated(index=i, operator=name, layer="", why=why)
    >>> ab = [left(i, name, "unsupported operator") for i, name in enumerate("ABA")]
    >>> _rest("the CPU runs", [*ab, left(3, "C", None)])
    'the CPU runs A and B (unsupported operator), C'
    """
    reasons: dict[str, str | None] = {}
    for each in left:
        reasons.setdefault(each.operator, each.why)
    by_reason: dict[str | None, list[str]] = {}
    for operator, why in reasons.items():
        by_reason.setdefault(why, []).append(operator)
    return f"{subject} " + ", ".join(
        _and(names) + (f" ({why})" if why else "") for why, names in by_reason.items()
    )


def _and(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _note(*clauses: str, left: Sequence[Undelegated], cure: str | None = None) -> Finding:
    """Return a note that names the operators left and their layers."""
    return Finding(
        message="; ".join(clauses),
        cure=cure,
        operator=left[0].operator,
        layer=listed(each.layer for each in left),
        is_note=True,
    )
