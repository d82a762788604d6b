"""A runtime whose interpreter is slow, and hangs on samples with negative values."""

from __future__ import annotations

import time
from typing import Any


class Interpreter:
    """Echoes samples."""

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        del model, threads

    def invoke(self, sample: Any) -> Any:
        time.sleep(600 if sample[0].min() < 0 else 0.15)
        return sample

    def arena_bytes(self) -> None:
        """Return None."""

    def left_by_delegates(self) -> None:
        """Return None: there are no delegates."""

    def allocations(self) -> None:
        """Return None: there is no arena."""

    def resized(self) -> dict[int, int]:
        """Return an empty dictionary: all sizes are those of the file."""
        return {}
