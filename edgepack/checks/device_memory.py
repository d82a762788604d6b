"""Checks that the model fits into the device's flash and RAM."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.evidence import Evidence
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.footprint import Footprint
from edgepack.footprint.flash import runtime_flash_bytes


def flash_fits(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The model and the runtime fit into the flash, less the application's share."""
    available = target.model_flash_bytes
    needed = flash_bytes(target, evidence)
    if available is not None and needed > available:
        yield Finding(
            message=f"model and runtime take {needed:,} of {available:,} bytes of flash"
            f" (the model {evidence.model_bytes:,})",
            cure="prune channels, choose a smaller model, or a device with more flash",
        )


def ram_fits(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The arena and the runtime's own RAM fit into the RAM, less the application's share.

    On phones and boards, which do not run TensorFlow Lite Micro, what counts is the peak memory of
    an interpreter's process on this machine, including Python. edgepack validate measures it, an
    export does not.
    """
    needed, available = ram_bytes(target, evidence), target.model_ram_bytes
    if needed is None or available is None or needed <= available:
        return
    footprint = footprint_on(target, evidence)
    subject, details = (
        ("arena and runtime take", f" (the arena {footprint.arena.least:,})")
        if footprint
        else ("the interpreter's process takes", ", on this machine")
    )
    yield Finding(
        message=f"{subject} {needed:,} of {available:,} bytes of RAM{details}",
        cure="reduce the largest activations: smaller inputs, or an earlier stride",
    )


def footprint_on(target: Target, evidence: Evidence) -> Footprint | None:
    """Return the footprint of a model on a microcontroller; None if it was not measured."""
    return evidence.footprints.get(target.kernels) if target.kernels else None


def flash_bytes(target: Target, evidence: Evidence) -> int:
    """Return the flash in bytes that the model needs, with the runtime on a microcontroller."""
    runtime = runtime_flash_bytes(evidence.model, target.kernels) if target.kernels else 0
    return evidence.model_bytes + runtime


def ram_bytes(target: Target, evidence: Evidence) -> int | None:
    """Return the RAM in bytes that the model needs; None if it was not measured.

    With TensorFlow Lite Micro this is the arena and the runtime, otherwise the highest peak memory
    of the processes of the target's interpreters on this machine.
    """
    if target.kernels:
        footprint = footprint_on(target, evidence)
        return footprint.ram_bytes if footprint else None
    runs = [evidence.runs[name] for name in target.interpreters if name in evidence.runs]
    return max((run.peak_memory_bytes for run in runs if run.peak_memory_bytes), default=None)
