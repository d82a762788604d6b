"""What became of a model on a runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgepack.footprint.allocations import Allocations
from edgepack.runtimes.crash_culprit import CrashingOperator
from edgepack.storage.arrays import Arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a runtime made of a model: integer ``outputs`` (samples, ...), or why it failed.

    ``mask`` says which samples of the dataset it ran, shape (samples,); None stands for all of
    them. One that ran none of them only loaded the model, to tell what that needs.
    ``arena_bytes`` and ``peak_memory_bytes``, which is the whole process's, are measured on this
    host, whose pointers may be wider than the device's; ``allocations`` is TFLM's own account of
    the arena. ``left_by_delegates`` has the indices of the operators that no delegate took; None
    where that is not told. ``resized`` tells how many values tensors hold, by index, where the file
    says otherwise. A model ``is_refused`` if the runtime would not load or run it, or crashed,
    which is not a limit of time or memory. After a crash, ``signal`` names what ended the process,
    and ``culprit`` the operator that was being run, if that can be told.
    """

    version: str
    outputs: Arrays | None = None
    mask: NDArray[np.bool_] | None = None
    arena_bytes: int | None = None
    allocations: Allocations | None = None
    peak_memory_bytes: int | None = None
    left_by_delegates: Sequence[int] | None = None
    resized: Mapping[int, int] = field(default_factory=dict)
    failure: str | None = None
    is_refused: bool = False
    signal: str | None = None
    culprit: CrashingOperator | None = None

    @property
    def samples(self) -> int | None:
        """How many of the samples it ran, None for all of them."""
        return None if self.mask is None else int(self.mask.sum())

    @property
    def is_loaded_only(self) -> bool:
        """Whether it loaded the model, and ran no sample."""
        return self.failure is None and self.samples == 0
