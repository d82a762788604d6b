"""The signals by which a user, a shell or the system asks a program to exit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Windows has no SIGHUP, and only Windows has SIGBREAK, that of Ctrl-Break.
INTERRUPTS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
)


@contextmanager
def ignore_interrupts() -> Iterator[None]:
    """Ignore :data:`INTERRUPTS` during work that must not be left half-done.

    Signals that arrive meanwhile are lost. Python runs handlers in the main thread only, so in any
    other thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
