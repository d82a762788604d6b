"""Worker processes: where TensorFlow and the interpreters run, because they crash.

A worker is a Python process that builds one service object (see :mod:`edgepack.serve`) and
answers calls of its methods, one at a time. Arguments and results are JSON; arrays and models
travel as files. Nothing that a worker says is ever unpickled or run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from edgepack import errors
from edgepack.progress import Update, ignore

# The working folder is no place to import from: what lies there may be anyone's. `-c` puts it
# first on the path, so the worker takes over this process's path before it imports anything.
_BOOT = (
    "import sys; sys.path[:] = sys.argv[3:]; from edgepack.serve import main; main(*sys.argv[1:3])"
)


class Worker:
    """A process that serves the methods of one object.

    ``service`` is ``module:Class``, built with ``arguments`` as soon as the process runs;
    ``label`` names the process in messages. Its standard error, and all that native code prints,
    is shown only if ``verbose``. Leaving the context kills the process, whatever it is doing.
    """

    def __init__(
        self, service: str, *, label: str, verbose: bool = False, **arguments: Any
    ) -> None:
        self._label = label
        # What TensorFlow writes for itself; it is killed, and cannot take it away.
        self._scratch = tempfile.TemporaryDirectory(prefix="edgepack-")
        self._process = subprocess.Popen(  # noqa: S603 (this Python, our own module)
            [sys.executable, "-c", _BOOT, service, json.dumps(arguments), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if verbose else subprocess.DEVNULL,
            env=os.environ | _environment(verbose) | {"TMPDIR": self._scratch.name},
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its workers
            text=True,
        )
        self._thread = ThreadPoolExecutor(max_workers=1)

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
        self._scratch.cleanup()

    def start(self, method: str, *, update: Update = ignore, **arguments: Any) -> Future[Any]:
        """Call a method of the service; it begins when the calls before it are answered."""
        return self._thread.submit(self._exchange, method, update, arguments)

    def call(self, method: str, *, update: Update = ignore, **arguments: Any) -> Any:
        """Call a method of the service and wait for what it returns.

        Raises what the method raised if that was an :class:`~edgepack.errors.EdgepackError`,
        :class:`~edgepack.errors.WorkerCrashError` if the process died, and RuntimeError with
        the worker's traceback for anything else.
        """
        return self.start(method, update=update, **arguments).result()

    def _exchange(self, method: str, update: Update, arguments: dict[str, Any]) -> Any:
        assert self._process.stdin is not None  # noqa: S101 (both were asked for)
        assert self._process.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):  # it died: the loop below finds no answer
            self._process.stdin.write(json.dumps({"method": method, "arguments": arguments}) + "\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            message = json.loads(line)
            if "result" in message:
                return message["result"]
            if "error" in message:
                _raise(message["error"])
            update(*message["progress"])
        raise errors.WorkerCrashError(
            f"{self._label} {_death(self._process.wait())} in the step {method!r}"
        )


def _environment(verbose: bool) -> dict[str, str]:
    """Settings that must stand before TensorFlow is imported."""
    return {
        "TF_CPP_MIN_LOG_LEVEL": "0" if verbose else "3",
        # `tf.keras` is tf-keras, as TFMOT wants it, whatever is imported first; and TensorFlow
        # leaves Keras 3 alone, which takes a second to import, until a model asks for it.
        "TF_USE_LEGACY_KERAS": "1",
        "PYTHONHASHSEED": "0",  # no order of a set may reach an exported file
        "PYTHONIOENCODING": "utf-8",
    }


def _raise(error: dict[str, str]) -> None:
    if error["type"] == "OSError":
        raise OSError(error["message"])
    kind = getattr(errors, error["type"], None)
    if isinstance(kind, type) and issubclass(kind, errors.EdgepackError):
        raise kind(error["message"])
    raise RuntimeError(f"in a worker process:\n{error['traceback']}")


def _death(status: int) -> str:
    """Say how a process ended.

    >>> _death(-11)
    'was killed by SIGSEGV'
    >>> _death(3)
    'ended with status 3'
    """
    if status >= 0:
        return f"ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}"
