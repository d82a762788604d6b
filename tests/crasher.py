"""A runtime whose interpreter kills its process at the third sample."""

from __future__ import annotations

import ctypes
from typing import Any


class Interpreter:
    """Echoes two samples."""

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        del model, threads
        self._left = 2

    def invoke(self, sample: Any) -> Any:
        if self._left == 0:
            ctypes.string_at(0)
        self._left -= 1
        return sample

    def arena_bytes(self) -> None:
        """Return None."""
