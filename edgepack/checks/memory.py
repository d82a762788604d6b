"""Checks of what the model takes of the device's memory."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.evidence import Evidence
from edgepack.findings import Finding
from edgepack.footprint import Footprint
from edgepack.target import Target


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
    """The arena and the runtime's own RAM fit into the RAM, less the share of the application."""
    footprint, left = footprint_on(target, evidence), target.model_ram_bytes
    if footprint is not None and left is not None and footprint.ram_bytes > left:
        yield Finding(
            message=f"arena and runtime take {footprint.ram_bytes:,} of {left:,} bytes of RAM"
            f" ({footprint.arena.least:,} the arena)",
            cure="make the largest activations smaller: smaller inputs, or an earlier stride",
        )


def footprint_on(target: Target, evidence: Evidence) -> Footprint | None:
    """Find what a model takes on a microcontroller; None where it was not measured."""
    return evidence.footprints.get(target.kernels) if target.kernels else None


def flash_bytes(target: Target, evidence: Evidence) -> int:
    """Count the bytes of flash: the model, and the runtime on a microcontroller."""
    footprint = footprint_on(target, evidence)
    return footprint.flash_bytes if footprint else evidence.model_bytes
