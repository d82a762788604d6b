"""How a long step tells how far it is. The command line draws it; the library is silent."""

from __future__ import annotations

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
