"""Worker processes: where TensorFlow and the interpreters run, because they crash.

A worker is a Python process that builds one service object (see :mod:`edgepack.workers.server`) and
answers calls of its methods, one at a time. Arguments and results are JSON, as
:mod:`edgepack.core.codec` writes it, and a method's arguments are restored by their type hints;
arrays and models travel as files. Nothing that a worker says is ever unpickled or run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
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
from edgepack.workers.sandbox import Sandbox

# The working folder is no place to import from: what lies there may be anyone's. `-c` puts it
# first on the path, so the worker takes over this process's path before it imports anything.
_BOOT = (
    "import sys; sys.path[:] = sys.argv[5:];"
    " from edgepack.workers.server import main; main(*sys.argv[1:5])"
)
_MIB = 1 << 20
_LAST_WORDS_BYTES = 1 << 12
_MOMENT_S = 2.0

# Libraries share a sum out among their threads, and where it is cut decides its last bits. So
# there are as many threads on every machine, whatever processors it has. TensorFlow has four:
# two processors lose little by them, more would spend their time waiting for each other. Its
# oneDNN kernels, which it takes on some processors only, also look at how cores share caches.
_SAME_EVERYWHERE = {
    "TF_NUM_INTRAOP_THREADS": "4",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "OPENBLAS_NUM_THREADS": "1",  # numpy's
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a worker process may take; None means no limit.

    ``time_s`` is how long it may work without telling of progress, ``memory_bytes`` its address
    space, and as much it may write to a file; ``data_bytes`` is the memory that it may write to,
    which leaves out the files that it maps to read.
    """

    time_s: float | None = None
    memory_bytes: int | None = None
    data_bytes: int | None = None

    @property
    def has_memory(self) -> bool:
        """Whether there is a limit of memory."""
        return self.memory_bytes is not None or self.data_bytes is not None


@dataclass(frozen=True, kw_only=True)
class Python:
    """A Python to run a worker with: its command, and the folders that it imports from."""

    command: tuple[str, ...]
    path: tuple[str, ...]


class Worker:
    """A process that serves the methods of one object.

    ``service`` is ``module:Class``, built with ``arguments`` as soon as the process runs;
    ``label`` names the process in messages; ``python`` is this one unless another is given. Its
    standard error, and all that native code prints, is shown only if ``verbose``. It leaves no core
    dump. With a ``confinement`` it takes all rights from itself that it does not need, before it
    imports anything; where the system cannot do that, ``verbose`` tells. Leaving the context kills
    the process, whatever it is doing.
    """

    def __init__(
        self,
        service: str,
        *,
        label: str,
        verbose: bool = False,
        limits: Limits | None = None,
        python: Python | None = None,
        confinement: Sandbox | None = None,
        **arguments: Any,
    ) -> None:
        self._label = label
        self._limits = limits or Limits()
        python = python or Python(command=(sys.executable,), path=tuple(sys.path))
        with contextlib.ExitStack() as undo:  # where no more files or threads can be had
            # What TensorFlow writes for itself; it is killed, and cannot take it away.
            self._scratch = TemporaryFolder()
            undo.callback(self._scratch.remove)
            self._words = undo.enter_context(tempfile.TemporaryFile())
            rights = confinement and replace(
                confinement, writes=(*confinement.writes, str(self._scratch.path))
            )
            told = [json.dumps(as_json(each)) for each in (arguments, self._limits, rights)]
            said = self._words if limits else subprocess.DEVNULL
            self._process = subprocess.Popen(  # noqa: S603 (this Python, our own module)
                [*python.command, "-c", _BOOT, service, *told, *python.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if verbose else said,
                env={
                    **os.environ,
                    **_environment(verbose),
                    "TMPDIR": str(self._scratch.path),
                    # Keras 3 imports Matplotlib, which would complain of a cache out of reach.
                    **({"MPLCONFIGDIR": str(self._scratch.path)} if confinement else {}),
                },
                start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its workers
                encoding="utf-8",
                errors="backslashreplace",
            )
            undo.callback(self._process.kill)
            self._thread = ThreadPoolExecutor(max_workers=1)
            self._showing = threading.Thread(target=self._show, daemon=True)
            self._showing.start()
            undo.pop_all()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._thread.shutdown(cancel_futures=True)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was left to write has no reader
                pipe.close()  # type: ignore[union-attr]  # both were asked for
        self._process.wait()
        self._showing.join(_MOMENT_S)  # what it started may still hold the pipe
        self._words.close()
        self._scratch.remove()

    def start(self, method: str, *, update: Update = ignore, **arguments: Any) -> Future[Any]:
        """Call a method of the service; it begins when the calls before it are answered."""
        return self._thread.submit(self._exchange, method, update, arguments)

    def call(self, method: str, *, update: Update = ignore, **arguments: Any) -> Any:
        """Call a method of the service and wait for what it returns.

        Raises what the method raised if that was an :class:`~edgepack.core.errors.EdgepackError`,
        :class:`~edgepack.core.errors.WorkerCrashError` if the process died,
        :class:`~edgepack.core.errors.WorkerLimitError` if that was for its limits, or if the method
        had no more memory, and RuntimeError with the worker's traceback for anything else.
        """
        return self.start(method, update=update, **arguments).result()

    def _show(self) -> None:
        """Write what a verbose process says to standard error, as text, and keep it."""
        if self._process.stderr is None:
            return
        with self._process.stderr as words:
            for line in words:
                with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody listens
                    sys.stderr.write(printable(line, keep="\n\t"))
                    self._words.write(line.encode())

    def _exchange(self, method: str, update: Update, arguments: dict[str, Any]) -> Any:
        assert self._process.stdin is not None  # noqa: S101 (both were asked for)
        assert self._process.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):  # it died: the loop below finds no answer
            asked = {"method": method, "arguments": as_json(arguments)}
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            if not line.endswith("\n"):  # it died while it wrote
                break
            message = json.loads(line)
            if "result" in message:
                return message["result"]
            if "error" in message:
                self._raise(message["error"], method)
            update(*message["progress"])
        raise self._death(self._process.wait(), method)

    def _raise(self, error: dict[str, Any], method: str) -> None:
        if error["type"] == "OSError":
            raise OSError(*error["arguments"])
        if error["type"] == "MemoryError" and self._limits.has_memory:
            raise self._out_of_memory(method)
        kind = getattr(errors, error["type"], None)
        if isinstance(kind, type) and issubclass(kind, errors.EdgepackError):
            raise kind(error["message"])
        raise RuntimeError(f"in a worker process:\n{error['traceback']}")

    def _death(self, status: int, method: str) -> errors.EdgepackError:
        """Say how the process ended."""
        limits, killer = self._limits, signal_name(status)
        if killer == "SIGALRM" and limits.time_s:
            return errors.WorkerLimitError(
                f"{self._label} was stopped after {limits.time_s:g} s in the step {method!r}",
                resource="time",
            )
        if killer == "SIGXCPU":
            return errors.WorkerLimitError(
                f"{self._label} cannot do the step {method!r} in the processor time it may use",
                resource="time",
            )
        if limits.has_memory and b"bad_alloc" in self._last_words():
            return self._out_of_memory(method)
        end = f"was killed by {killer}" if killer else f"ended with status {status}"
        return errors.WorkerCrashError(f"{self._label} {end} in the step {method!r}", killer)

    def _out_of_memory(self, method: str) -> errors.WorkerLimitError:
        memory = self._limits.memory_bytes
        limit = f"its memory limit of {memory // _MIB:,} MiB" if memory else "the memory it may use"
        return errors.WorkerLimitError(
            f"{self._label} cannot do the step {method!r} within {limit}", resource="memory"
        )

    def _last_words(self) -> bytes:
        """Read the end of what native code wrote, which says why it gave up."""
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - _LAST_WORDS_BYTES))
        return self._words.read()


def _environment(verbose: bool) -> dict[str, str]:
    """Settings that must stand before TensorFlow or numpy is imported."""
    return _SAME_EVERYWHERE | {
        "TF_CPP_MIN_LOG_LEVEL": "0" if verbose else "3",
        # `tf.keras` is tf-keras, as TFMOT wants it, whatever is imported first; and TensorFlow
        # leaves Keras 3 alone, which takes a second to import, until a model asks for it.
        "TF_USE_LEGACY_KERAS": "1",
        "HDF5_PLUGIN_PRELOAD": "::",  # HDF5 loads no library that a file asks for (H5PL_NO_PLUGIN)
        "PYTHONHASHSEED": "0",  # no order of a set may reach an exported file
        "PYTHONIOENCODING": "utf-8",
    }


def signal_name(status: int) -> str | None:
    """Name the signal that ended a process; None if it ended by itself.

    >>> signal_name(-11)
    'SIGSEGV'
    """
    if status >= 0:
        return None
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
