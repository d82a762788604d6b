"""The worker process's side: construct one service object and serve calls of its methods.

Calls arrive as lines of JSON on standard input, and replies leave as lines of JSON on the original
standard output; :mod:`edgepack.workers.client` is the parent's side.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO, get_type_hints

from edgepack.core.codec import as_json, restore
from edgepack.workers.client import Limits
from edgepack.workers.process_end import kill_own_group
from edgepack.workers.process_limits import limit_process, missing_limits, set_timer
from edgepack.workers.sandbox import Sandbox, enter_sandbox

_PROGRESS_INTERVAL_S = 0.05
_MAX_TEXT = 20_000
_CONFINED = "the process is confined to its input files and to the installed packages\n"


def main(service: str, arguments: str, limits: str, sandbox: str) -> None:
    """Serve ``module:Class``, constructed with JSON arguments, until standard input ends.

    ``limits`` are the fields of :class:`~edgepack.workers.client.Limits` as JSON, and
    ``sandbox`` those of :class:`~edgepack.workers.sandbox.Sandbox`, or null. It does not return.
    """
    try:
        pipes = _own_pipes()  # open until the end, which their own end tells the parent
        _serve(*pipes, service, arguments, limits, sandbox)
    except BrokenPipeError:  # the parent is gone
        kill_own_group()
    except BaseException:  # noqa: BLE001 (SystemExit, too)
        traceback.print_exc()
    finally:
        os._exit(1)  # Python would wait for the threads of the service, which may never end


def _serve(
    lines: TextIO, replies: TextIO, service: str, arguments: str, limits: str, sandbox: str
) -> None:
    restored_limits = restore(Limits, json.loads(limits))
    limit_process(memory_bytes=restored_limits.memory_bytes, data_bytes=restored_limits.data_bytes)
    if why := missing_limits():
        sys.stderr.write(f"{why}\n")
    if fields := json.loads(sandbox):
        why = enter_sandbox(restore(Sandbox, fields))
        sys.stderr.write(f"the process is not confined: {why}\n" if why else _CONFINED)
    calls: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_receive, args=(lines, calls), daemon=True).start()
    module, _, name = service.partition(":")
    # Importing TensorFlow creates millions of objects and drops few: garbage collection would
    # take a third of the time and free nothing.
    gc.disable()
    try:
        build = getattr(importlib.import_module(module), name)
        instance = build(**_restore_arguments(build.__init__, json.loads(arguments)))
    except Exception as error:  # noqa: BLE001 (sent to the first caller)
        _send(replies, {"error": _describe(error)})
        return
    finally:
        gc.freeze()
        gc.enable()
    while True:
        call = calls.get()
        reporter = _Reporter(replies, restored_limits.time_s)
        try:
            method = getattr(instance, call["method"])
            restored = _restore_arguments(method, call["arguments"])
            reply = {"result": as_json(method(**restored, update=reporter))}
        except Exception as error:  # noqa: BLE001 (sent to the caller)
            reply = {"error": _describe(error)}
        reporter.stop_timer()
        _send(replies, reply)


def _restore_arguments(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Restore the JSON arguments of a function by its type hints."""
    hints = get_type_hints(function)
    return {name: restore(hints.get(name, Any), each) for name, each in arguments.items()}


def _own_pipes() -> tuple[TextIO, TextIO]:
    """Return the pipes of calls and replies, which neither the service nor its children have.

    A child that read the calls would take them away; one that held the pipe of the replies would
    hide from the parent that this process has ended.
    """
    calls = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # the output of native code must not mix with the replies
    if sys.platform != "win32":
        for pipe in (calls, replies):
            # Not closed: the number would become that of a file, which the next fork would close.
            os.register_at_fork(after_in_child=partial(os.dup2, nothing, pipe.fileno(), False))
    return calls, replies


def _receive(lines: TextIO, calls: queue.Queue[dict[str, Any]]) -> None:
    """Queue incoming calls; end the process when the parent is gone, even during a call."""
    try:
        for line in lines:
            calls.put(json.loads(line))
        kill_own_group()  # as the parent would have done
    except Exception:  # noqa: BLE001 (no call, and there may be no end of them)
        traceback.print_exc()
    finally:
        os._exit(1)  # the main thread would wait for ever


def _send(replies: TextIO, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _describe(error: Exception) -> dict[str, Any]:
    # Keras reads models, and has its own errors for that: an OSError is a failed write.
    kinds = (kind for kind in (OSError, MemoryError) if isinstance(error, kind))
    described = {
        "type": next(kinds, type(error)).__name__,
        "message": str(error)[:_MAX_TEXT],
        "traceback": "".join(traceback.format_exception(error))[-_MAX_TEXT:],
    }
    if isinstance(error, OSError):
        filename = [] if error.filename is None else [os.fsdecode(error.filename)]
        arguments = [error.errno, error.strerror, *filename]
        return described | {"arguments": arguments if error.errno else [described["message"]]}
    return described


class _Reporter:
    """Sends progress updates, but rarely enough that sending them takes no time.

    If no update comes for ``time_s`` seconds, the system ends the process (see
    :func:`~edgepack.workers.process_limits.set_timer`).
    """

    def __init__(self, replies: TextIO, time_s: float | None) -> None:
        self._replies = replies
        self._next = 0.0
        self._time_s = time_s or 0.0  # a timer of 0 never expires
        set_timer(self._time_s)

    def stop_timer(self) -> None:
        """Stop the timer."""
        set_timer(0.0)

    def __call__(self, done: int, total: int, detail: str = "") -> None:
        set_timer(self._time_s)
        now = time.monotonic()
        if now >= self._next or done == total:
            self._next = now + _PROGRESS_INTERVAL_S
            _send(self._replies, {"progress": [done, total, detail]})
