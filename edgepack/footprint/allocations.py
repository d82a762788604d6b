"""How TensorFlow Lite Micro divides the tensor arena."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Allocations:
    """TFLM's record of the tensor arena on the host that it ran on, in bytes.

    ``head_bytes`` is the planned part, which holds activations and scratch buffers, ``tail_bytes``
    the persistent part. ``kinds`` are the recorded allocations in the latter: bytes and count by
    kind.
    """

    head_bytes: int
    tail_bytes: int
    kinds: Mapping[str, tuple[int, int]]

    @property
    def total_bytes(self) -> int:
        """The size of the whole arena."""
        return self.head_bytes + self.tail_bytes
