"""How TensorFlow Lite Micro divides the tensor arena."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Allocations:
    """TFLM's own account of the tensor arena on the host that it ran on, in bytes.

    ``head_bytes`` is the planned part: activations and scratch buffers; ``tail_bytes`` the
    persistent one. ``kinds`` tells what TFLM recorded of the latter: bytes and count by kind.
    """

    head_bytes: int
    tail_bytes: int
    kinds: Mapping[str, tuple[int, int]]

    @property
    def total_bytes(self) -> int:
        """The whole arena."""
        return self.head_bytes + self.tail_bytes
