"""The result of running a model on a runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgepack.footprint.allocations import Allocations
from edgepack.runtimes.failing_operator import FailingOperator
from edgepack.storage.arrays import Arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """The result of running a model on a runtime: ``outputs`` (samples, ...), or its ``failure``.

    ``mask``, shape (samples,), has the samples of the dataset that were run; None means all. If
    none was run, the model was only loaded, to measure its memory. ``arena_bytes`` and
    ``peak_memory_bytes``, the latter of the whole process, are measured on this host, whose
    pointers may be wider than the device's; ``allocations`` are those of the arena that TFLM
    reports. ``left_by_delegates`` has the indices of the operators that no delegate took; None if
    unknown. ``resized`` has the number of values of tensors, by index, where it differs from the
    file. A model ``is_refused`` if the runtime rejected it or crashed, rather than exceeding a
    limit of time or memory. After a crash, ``signal`` names the signal that killed the process.
    ``failing_operator`` is the operator that it was running, or that was refused, if it is known.
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
    failing_operator: FailingOperator | None = None

    @property
    def samples(self) -> int | None:
        """The number of samples that were run; None means all."""
        return None if self.mask is None else int(self.mask.sum())

    @property
    def is_loaded_only(self) -> bool:
        """Whether the model was only loaded, without running a sample."""
        return self.failure is None and self.samples == 0
