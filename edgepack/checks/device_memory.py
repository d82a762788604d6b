"""Checks of what the model takes of the device's memory."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.evidence import Evidence
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.footprint import Footprint
from edgepack.footprint.flash import runtime_flash_bytes


def flash_fits(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The model and the runtime fit into the flash, less the share of the application."""
    left = target.model_flash_bytes
    needed = flash_bytes(target, evidence)
    if left is not None and needed > left:
        yield Finding(
            message=f"model and runtime take {needed:,} of {left:,} bytes of flash"
            f" ({evidence.model_bytes:,} the model)",
            cure="prune channels, choose a smaller model, or a device with more flash",
        )


def ram_fits(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The arena and the runtime's own RAM fit into the RAM, less the share of the application.

    Without TensorFlow Lite Micro's kernels, on phones and boards, what counts is the most memory
    that the process of one of the target's interpreters took on this machine, Python included:
    edgepack validate measures that, an export does not.
    """
    needed, left = ram_bytes(target, evidence), target.model_ram_bytes
    if needed is None or left is None or needed <= left:
        return
    footprint = footprint_on(target, evidence)
    what, more = (
        ("arena and runtime take", f" ({footprint.arena.least:,} the arena)")
        if footprint
        else ("the interpreter's process takes", ", here")
    )
    yield Finding(
        message=f"{what} {needed:,} of {left:,} bytes of RAM{more}",
        cure="make the largest activations smaller: smaller inputs, or an earlier stride",
    )


def footprint_on(target: Target, evidence: Evidence) -> Footprint | None:
    """Find what a model takes on a microcontroller; None where it was not measured."""
    return evidence.footprints.get(target.kernels) if target.kernels else None


def flash_bytes(target: Target, evidence: Evidence) -> int:
    """Count the bytes of flash: the model, and the runtime on a microcontroller."""
    runtime = runtime_flash_bytes(evidence.model, target.kernels) if target.kernels else 0
    return evidence.model_bytes + runtime


def ram_bytes(target: Target, evidence: Evidence) -> int | None:
    """Count the bytes of RAM; None where they were not measured.

    Those of arena and runtime with TensorFlow Lite Micro's kernels, or else the most that the
    process of one of the target's interpreters took on this machine.
    """
    if target.kernels:
        footprint = footprint_on(target, evidence)
        return footprint.ram_bytes if footprint else None
    runs = [evidence.runs[name] for name in target.interpreters if name in evidence.runs]
    return max((run.peak_memory_bytes for run in runs if run.peak_memory_bytes), default=None)
