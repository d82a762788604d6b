"""The flash and RAM that a model needs on a microcontroller with TensorFlow Lite Micro (TFLM).

Pure functions of a parsed model and of TFLM's measurements on this host; no interpreter is
imported. The arena is computed exactly where TFLM's structs are known, the runtime's flash is
estimated. Both are upper bounds where they are not exact; the notes of the result say where.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.core.errors import ModelError
from edgepack.footprint.allocations import Allocations
from edgepack.footprint.arena import Arena, compute_arena
from edgepack.footprint.flash import flash_notes, runtime_flash_bytes, runtime_ram_bytes
from edgepack.footprint.scratch_buffers import KERNELS
from edgepack.tflite.graph import Model

__all__ = ["KERNELS", "Arena", "Footprint", "compute_arena", "compute_footprint"]


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What a model needs on a device, in bytes.

    ``flash_bytes`` is for the model and the runtime, ``ram_bytes`` for the smallest arena that TFLM
    can start in and the runtime's static data and stack. ``notes`` say on what the estimate of the
    flash is based.
    """

    arena: Arena
    runtime_flash_bytes: int
    runtime_ram_bytes: int
    flash_bytes: int
    ram_bytes: int
    notes: tuple[str, ...]


def compute_footprint(
    model: Model, model_bytes: int, allocations: Allocations, kernels: str
) -> Footprint:
    """Compute the footprint of a .tflite file with kernels, one of :data:`KERNELS`.

    ``model_bytes`` is the size of the file, ``allocations`` are TFLM's for it on this host. Raises
    :class:`ModelError` if operators lack inputs or outputs that every interpreter requires.
    """
    try:
        computed = compute_arena(model, allocations, kernels)
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise ModelError(
            f"damaged .tflite file: tensors do not match an operator: {error}"
        ) from error
    flash, ram = runtime_flash_bytes(model, kernels), runtime_ram_bytes(kernels)
    return Footprint(
        arena=computed,
        runtime_flash_bytes=flash,
        runtime_ram_bytes=ram,
        flash_bytes=model_bytes + flash,
        ram_bytes=computed.least + ram,
        notes=tuple(flash_notes(model, kernels)),
    )
