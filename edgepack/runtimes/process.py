"""A worker process of a runtime, which may be ended by what it runs."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from edgepack.errors import WorkerCrashError, WorkerLimitError
from edgepack.progress import Update
from edgepack.runtimes import Runtime
from edgepack.worker import Limits, Worker


class Process:
    """Runs a runtime's service at once; a new process takes the place of one that was ended.

    Leaving the context ends it for good. Calls come one at a time.
    """

    def __init__(self, runtime: Runtime, limits: Limits, *, verbose: bool) -> None:
        self._runtime = runtime
        self._limits = limits
        self._verbose = verbose
        self._lock = threading.Lock()
        self._is_over = False
        self._worker: Worker | None = self._start()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over = True
        self._end()

    def call(self, method: str, *, update: Update, **arguments: Any) -> Any:
        """Call a method of :class:`~edgepack.runtimes.service.RunService`.

        Raises what :meth:`~edgepack.worker.Worker.call` does; the next call finds a process again.
        """
        with self._lock:
            if self._is_over:
                raise WorkerCrashError(f"{self._runtime.name} was ended before {method!r}")
            worker = self._worker = self._worker or self._start()
        try:
            return worker.call(method, update=update, **arguments)
        except (WorkerCrashError, WorkerLimitError):
            self._end()
            raise

    def _start(self) -> Worker:
        return Worker(
            "edgepack.runtimes.service:RunService",
            label=self._runtime.name,
            verbose=self._verbose,
            limits=self._limits,
            python=self._runtime.python,
            module=self._runtime.module,
        )

    def _end(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.__exit__(None, None, None)
