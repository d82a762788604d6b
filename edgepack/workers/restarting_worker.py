"""A worker that is replaced by a new process when what it runs ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from edgepack.core.errors import WorkerCrashError, WorkerLimitError
from edgepack.core.progress import Update, ignore
from edgepack.workers.client import Worker


class RestartingWorker:
    """A worker that ``start`` starts, immediately and again for the next call after it has ended.

    ``label`` names it in messages. Leaving the context ends it for good. It takes one call at a
    time.
    """

    def __init__(self, start: Callable[[], Worker], label: str) -> None:
        self._start = start
        self._label = label
        self._lock = threading.Lock()
        self._is_closed = False
        self._worker: Worker | None = start()

    def __enter__(self) -> RestartingWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_closed = True
        self._end()

    def call(self, method: str, *, update: Update = ignore, **arguments: Any) -> Any:
        """Call a method of the worker's service.

        Raises what :meth:`~edgepack.workers.client.Worker.call` does; the next call starts a new
        worker if this one ended it.
        """
        with self._lock:
            if self._is_closed:
                raise WorkerCrashError(f"{self._label} was ended before {method!r}")
            worker = self._worker = self._worker or self._start()
        try:
            return worker.call(method, update=update, **arguments)
        except (WorkerCrashError, WorkerLimitError):
            self._end()
            raise

    def _end(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.__exit__(None, None, None)
