"""How a long step tells how far it is. The command line draws it; the library is silent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Update = Callable[[int, int], None]
"""Called with how much is done and how much there is in all."""


def ignore(done: int, total: int) -> None:
    """Take an update and do nothing with it."""


class Progress(Protocol):
    """Opens one display for each step, in order."""

    def step(self, label: str) -> AbstractContextManager[Update]:
        """Begin a step; it ends with the context."""


class Silent:
    """Shows nothing."""

    def step(self, label: str) -> AbstractContextManager[Update]:  # noqa: ARG002, D102 (protocol)
        return nullcontext(ignore)
