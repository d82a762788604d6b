"""The flash and RAM that a model takes on a microcontroller with TensorFlow Lite Micro.

Pure functions of a parsed model and of what TFLM measured of it on this host; no interpreter is
imported. The arena is computed exactly where TFLM's structs are known, the runtime's flash is
estimated; both stay on the safe side, and the result says where.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgepack.core.errors import ModelError
from edgepack.footprint.allocations import Allocations
from edgepack.footprint.arena import Arena, arena
from edgepack.footprint.flash import flash_notes, runtime_flash_bytes, runtime_ram_bytes
from edgepack.footprint.scratch_buffers import KERNELS
from edgepack.tflite.graph import Model

__all__ = ["KERNELS", "Arena", "Footprint", "arena", "compute_footprint"]


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What a model takes on a device, in bytes; ``notes`` say what is estimated of the flash.

    ``flash_bytes`` counts the model and the runtime, ``ram_bytes`` the smallest arena that TFLM
    can start in and the runtime's static data and stack.
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
    """Compute what a .tflite file takes with the given kernels, one of :data:`KERNELS`.

    Raises :class:`ModelError` if its operators lack what every interpreter asks of them.
    """
    try:
        computed = arena(model, allocations, kernels)
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise ModelError(
            f"damaged .tflite file: tensors do not fit an operator: {error}"
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
