"""Progress reporting of long steps: the command line draws it, the library is silent by default."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Update(Protocol):
    """A callback that receives the amount done, the total amount, and a short remark."""

    def __call__(self, done: int, total: int, detail: str = "") -> None:
        """Report progress."""


def ignore(done: int, total: int, detail: str = "") -> None:
    """Ignore an update."""


class Progress(Protocol):
    """Displays the progress of steps, one after the other."""

    def step(self, label: str) -> AbstractContextManager[Update]:
        """Begin a step, which ends with the context."""


class NoProgress:
    """A :class:`Progress` that shows nothing."""

    def step(self, label: str) -> AbstractContextManager[Update]:  # noqa: ARG002, D102 (protocol)
        return nullcontext(ignore)


class CombinedProgress:
    """Adds up the progress of parts that run concurrently, out of ``total``."""

    def __init__(self, update: Update, total: int) -> None:
        self._update = update
        self._total = total
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()

    def part(self, name: str) -> Update:
        """Return the callback of one part."""

        def count(done: int, total: int, detail: str = "") -> None:  # noqa: ARG001 (the part's own)
            with self._lock:
                self._done[name] = done
                self._update(sum(self._done.values()), self._total)

        return count
