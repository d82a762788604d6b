"""How a long step tells how far it is. The command line draws it; the library is silent."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Update(Protocol):
    """Called with how much is done, how much there is in all, and a word on how it goes."""

    def __call__(self, done: int, total: int, detail: str = "") -> None:
        """Take the news."""


def ignore(done: int, total: int, detail: str = "") -> None:
    """Take an update and do nothing with it."""


class Progress(Protocol):
    """Opens one display for each step, in order."""

    def step(self, label: str) -> AbstractContextManager[Update]:
        """Begin a step; it ends with the context."""


class Silent:
    """Shows nothing."""

    def step(self, label: str) -> AbstractContextManager[Update]:  # noqa: ARG002, D102 (protocol)
        return nullcontext(ignore)


class Parts:
    """Adds up the progress of parts that run side by side, to ``total``."""

    def __init__(self, update: Update, total: int) -> None:
        self._update = update
        self._total = total
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()

    def part(self, name: str) -> Update:
        """Take the news of one part."""

        def count(done: int, total: int, detail: str = "") -> None:  # noqa: ARG001 (its own)
            with self._lock:
                self._done[name] = done
                self._update(sum(self._done.values()), self._total)

        return count
