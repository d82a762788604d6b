"""The inside of a worker process: build one service, answer calls of its methods.

Calls come as lines of JSON on standard input, answers go as lines of JSON to what was standard
output; :mod:`edgepack.workers.client` is the other end.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO, get_type_hints

from edgepack.core.codec import as_json, restore
from edgepack.workers.client import Limits
from edgepack.workers.sandbox import Sandbox, enter_sandbox

_PROGRESS_INTERVAL_S = 0.05
_MAX_TEXT = 20_000
_CONFINED = "the process is confined: it reaches the files that it was given, and the packages\n"


def main(service: str, arguments: str, limits: str, confinement: str) -> None:
    """Serve a ``module:Class``, built with JSON arguments, until standard input ends.

    ``limits`` are the fields of :class:`~edgepack.workers.client.Limits`, as JSON, and
    ``confinement`` those of :class:`~edgepack.workers.sandbox.Sandbox`, or null.
    """
    most = restore(Limits, json.loads(limits))
    _limit(resource.RLIMIT_CORE, 0)
    if most.memory_bytes:
        _limit(resource.RLIMIT_AS, most.memory_bytes)
        _limit(resource.RLIMIT_FSIZE, most.memory_bytes)
    if most.data_bytes:
        _limit(resource.RLIMIT_DATA, most.data_bytes)
    rights = json.loads(confinement)
    if rights:
        why = enter_sandbox(restore(Sandbox, rights))
        sys.stderr.write(f"the process is not confined: {why}\n" if why else _CONFINED)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what native code prints must not mix with the answers
    calls: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(calls,), daemon=True).start()
    module, _, name = service.partition(":")
    # Importing TensorFlow makes objects by the million and drops few: collecting meanwhile
    # takes a third of the time and frees nothing.
    gc.disable()
    try:
        build = getattr(importlib.import_module(module), name)
        instance = build(**_restored(build.__init__, json.loads(arguments)))
    except Exception as error:  # noqa: BLE001 (told to the first caller)
        _send(answers, {"error": _describe(error)})
        return
    finally:
        gc.freeze()
        gc.enable()
    while True:
        call = calls.get()
        reporter = _Reporter(answers, most.time_s)
        try:
            method = getattr(instance, call["method"])
            given = _restored(method, call["arguments"])
            answer = {"result": as_json(method(**given, update=reporter))}
        except Exception as error:  # noqa: BLE001 (told to the caller)
            answer = {"error": _describe(error)}
        reporter.rest()
        _send(answers, answer)


def _restored(called: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Build what a method takes, by its type hints."""
    hints = get_type_hints(called)
    return {name: restore(hints.get(name, Any), each) for name, each in arguments.items()}


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _listen(calls: queue.Queue[dict[str, Any]]) -> None:
    """Pass calls on; end the process when the parent is gone, even in the middle of a call."""
    for line in sys.stdin:
        calls.put(json.loads(line))
    os._exit(0)


def _send(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _describe(error: Exception) -> dict[str, Any]:
    # A worker reads models through Keras, which has its own errors: this is a failed write.
    kinds = (kind for kind in (OSError, MemoryError) if isinstance(error, kind))
    described = {
        "type": next(kinds, type(error)).__name__,
        "message": str(error)[:_MAX_TEXT],
        "traceback": "".join(traceback.format_exception(error))[-_MAX_TEXT:],
    }
    if isinstance(error, OSError):
        named = [] if error.filename is None else [os.fsdecode(error.filename)]
        numbered = [error.errno, error.strerror, *named]
        return described | {"arguments": numbered if error.errno else [described["message"]]}
    return described


class _Reporter:
    """Sends updates, but not so many that sending them takes time.

    The system ends the process by SIGALRM if none comes for ``time_s``, whatever native code does.
    """

    def __init__(self, answers: TextIO, time_s: float | None) -> None:
        self._answers = answers
        self._next = 0.0
        self._time_s = time_s or 0.0  # a timer of 0 never runs out
        signal.setitimer(signal.ITIMER_REAL, self._time_s)

    def rest(self) -> None:
        """Stop the clock."""
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    def __call__(self, done: int, total: int, detail: str = "") -> None:
        signal.setitimer(signal.ITIMER_REAL, self._time_s)
        now = time.monotonic()
        if now >= self._next or done == total:
            self._next = now + _PROGRESS_INTERVAL_S
            _send(self._answers, {"progress": [done, total, detail]})
