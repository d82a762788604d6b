"""The parent's side of worker processes, in which TensorFlow and the interpreters run.

They run in processes of their own because they may crash. A worker is a Python process that builds
one service object (see :mod:`edgepack.workers.server`) and serves calls of its methods, one at a
time. Arguments and results are JSON, as :mod:`edgepack.core.codec` writes it, and a method's
arguments are restored by their type hints; arrays and models are passed as files. Nothing that a
worker sends is ever unpickled or executed.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from edgepack.core import errors
from edgepack.core.codec import as_json
from edgepack.core.printable import printable
from edgepack.core.progress import Update, ignore
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.workers.process_end import GROUP, kill_group, signal_name
from edgepack.workers.process_limits import LIMITS_MEMORY
from edgepack.workers.sandbox import Sandbox

# Never import from the working folder: its files cannot be trusted. `-c` puts it first on the
# path, so the worker adopts this process's path before it imports anything.
_BOOT = (
    "import sys; sys.path[:] = sys.argv[5:];"
    " from edgepack.workers.server import main; main(*sys.argv[1:5])"
)
_MIB = 1 << 20
_LOG_TAIL_BYTES = 1 << 12
_JOIN_TIMEOUT_S = 2.0

# Libraries split a sum among their threads, and where they split it decides its last bits. So
# the number of threads is the same on every machine, whatever processors it has. TensorFlow gets
# four: two processors lose little by that, and more threads would mostly wait for each other. Its
# oneDNN kernels, which it uses on some processors only, also depend on how cores share caches.
_REPRODUCIBLE = {
    "TF_NUM_INTRAOP_THREADS": "4",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "OPENBLAS_NUM_THREADS": "1",  # numpy's
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The resource limits of a worker process; None means no limit.

    ``time_s`` is how long it may work without reporting progress, in seconds. ``memory_bytes``
    limits its address space, and the size of each file that it writes. ``data_bytes`` limits its
    writable memory, which excludes files that are mapped for reading. A system may lack some limits
    (see :mod:`edgepack.workers.process_limits`); a verbose worker prints a note then.
    """

    time_s: float | None = None
    memory_bytes: int | None = None
    data_bytes: int | None = None

    @property
    def has_memory(self) -> bool:
        """Whether there is a memory limit, which this system keeps."""
        return LIMITS_MEMORY and (self.memory_bytes is not None or self.data_bytes is not None)


@dataclass(frozen=True, kw_only=True)
class Python:
    """A Python interpreter to run a worker: its command, and the folders that it imports from."""

    command: tuple[str, ...]
    path: tuple[str, ...]


class Worker:
    """A process that serves the methods of one object.

    ``service`` is ``module:Class``, constructed with ``arguments`` as soon as the process runs;
    ``label`` names the process in messages; ``python`` is this interpreter by default. Its standard
    error, and everything that native code prints, is shown only if ``verbose``. It leaves no core
    dump. With a ``sandbox`` it drops all permissions that it does not need before it imports
    anything; if the system does not support that, a ``verbose`` worker prints a note. Leaving the
    context kills the process and those that it has started, whatever they are doing; so does the
    end of its replies, or of this process.
    """

    def __init__(
        self,
        service: str,
        *,
        label: str,
        verbose: bool = False,
        limits: Limits | None = None,
        python: Python | None = None,
        sandbox: Sandbox | None = None,
        **arguments: Any,
    ) -> None:
        self._label = label
        self._limits = limits or Limits()
        python = python or Python(command=(sys.executable,), path=tuple(sys.path))
        with contextlib.ExitStack() as undo:  # in case the system is out of files or threads
            # For TensorFlow's temporary files: the process is killed, and cannot remove them.
            self._temporary = TemporaryFolder()
            undo.callback(self._temporary.remove)
            self._log = undo.enter_context(tempfile.TemporaryFile())
            sandbox = sandbox and replace(
                sandbox, writes=(*sandbox.writes, str(self._temporary.path))
            )
            settings = [json.dumps(as_json(each)) for each in (arguments, self._limits, sandbox)]
            log = self._log if limits else subprocess.DEVNULL
            self._process = subprocess.Popen(  # noqa: S603 (this Python, our own module)
                [*python.command, "-c", _BOOT, service, *settings, *python.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if verbose else log,
                env={
                    **os.environ,
                    **_environment(verbose),
                    "TMPDIR": str(self._temporary.path),
                    # Keras 3 imports Matplotlib, which warns if it cannot reach its cache.
                    **({"MPLCONFIGDIR": str(self._temporary.path)} if sandbox else {}),
                },
                encoding="utf-8",
                errors="backslashreplace",
                **GROUP,
            )
            undo.callback(self._end)
            self._thread = ThreadPoolExecutor(max_workers=1)
            self._log_thread = threading.Thread(target=self._show_log, daemon=True)
            self._log_thread.start()
            undo.pop_all()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        self._thread.shutdown(cancel_futures=True)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # nobody reads the rest of the buffer
                pipe.close()  # type: ignore[union-attr]  # both are pipes
        # A process that it started and that has left its group may still hold the pipe.
        self._log_thread.join(_JOIN_TIMEOUT_S)
        self._log.close()
        self._temporary.remove()

    def start(self, method: str, *, update: Update = ignore, **arguments: Any) -> Future[Any]:
        """Call a method of the service; the call begins when all earlier ones have returned."""
        return self._thread.submit(self._exchange, method, update, arguments)

    def call(self, method: str, *, update: Update = ignore, **arguments: Any) -> Any:
        """Call a method of the service and return its result.

        Raises what the method raised if that is an :class:`~edgepack.core.errors.EdgepackError` or
        an OSError, :class:`~edgepack.core.errors.WorkerCrashError` if the process died,
        :class:`~edgepack.core.errors.WorkerLimitError` if it exceeded its limits or ran out of
        memory, and RuntimeError with the worker's traceback for anything else.
        """
        return self.start(method, update=update, **arguments).result()

    def _show_log(self) -> None:
        """Copy the output of a verbose process to standard error, as text, and to the log."""
        if self._process.stderr is None:
            return
        with self._process.stderr as stderr:
            for line in stderr:
                with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody reads it
                    sys.stderr.write(printable(line, keep="\n\t"))
                    self._log.write(line.encode())

    def _exchange(self, method: str, update: Update, arguments: dict[str, Any]) -> Any:
        assert self._process.stdin is not None  # noqa: S101 (both are pipes)
        assert self._process.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):  # it died: the loop below gets no reply
            request = {"method": method, "arguments": as_json(arguments)}
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            if not line.endswith("\n"):  # it died while writing
                break
            message = json.loads(line)
            if "result" in message:
                return message["result"]
            if "error" in message:
                self._raise(message["error"], method)
            update(*message["progress"])
        raise self._crash_error(self._end(), method)

    def _end(self) -> int:
        """End the process, and those that it has started; returns its status.

        A process that ended itself keeps its status.
        """
        if self._process.returncode is None:
            kill_group(self._process)
        return self._process.wait()

    def _raise(self, error: dict[str, Any], method: str) -> None:
        if error["type"] == "OSError":
            raise OSError(*error["arguments"])
        if error["type"] == "MemoryError" and self._limits.has_memory:
            raise self._out_of_memory(method)
        kind = getattr(errors, error["type"], None)
        if isinstance(kind, type) and issubclass(kind, errors.EdgepackError):
            raise kind(error["message"])
        raise RuntimeError(f"in a worker process:\n{error['traceback']}")

    def _crash_error(self, status: int, method: str) -> errors.EdgepackError:
        """Return the error that says how the process ended."""
        limits, killer = self._limits, signal_name(status)
        if killer == "SIGALRM" and limits.time_s:
            return errors.WorkerLimitError(
                f"{self._label} was stopped after {limits.time_s:g} s in the step {method!r}",
                resource="time",
            )
        if killer == "SIGXCPU":
            return errors.WorkerLimitError(
                f"{self._label} exceeded its limit of processor time in the step {method!r}",
                resource="time",
            )
        if limits.has_memory and b"bad_alloc" in self._log_tail():
            return self._out_of_memory(method)
        how = f"was killed by {killer}" if killer else f"ended with status {status}"
        return errors.WorkerCrashError(f"{self._label} {how} in the step {method!r}", killer)

    def _out_of_memory(self, method: str) -> errors.WorkerLimitError:
        memory = self._limits.memory_bytes
        limit = f"its memory limit of {memory // _MIB:,} MiB" if memory else "its memory limit"
        return errors.WorkerLimitError(
            f"{self._label} cannot do the step {method!r} within {limit}", resource="memory"
        )

    def _log_tail(self) -> bytes:
        """Read the end of what native code printed, which says why it aborted."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_TAIL_BYTES))
        return self._log.read()


def _environment(verbose: bool) -> dict[str, str]:
    """Return the environment variables to set before TensorFlow or numpy is imported."""
    return _REPRODUCIBLE | {
        "TF_CPP_MIN_LOG_LEVEL": "0" if verbose else "3",
        # `tf.keras` is tf-keras, as TFMOT requires, whatever is imported first; and TensorFlow
        # does not import Keras 3, which takes a second, until a model needs it.
        "TF_USE_LEGACY_KERAS": "1",
        "HDF5_PLUGIN_PRELOAD": "::",  # HDF5 loads no plugin that a file requests (H5PL_NO_PLUGIN)
        "PYTHONHASHSEED": "0",  # the order of a set must not affect an exported file
        "PYTHONIOENCODING": "utf-8",
    }
