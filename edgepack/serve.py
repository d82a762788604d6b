"""The inside of a worker process: build one service, answer calls of its methods.

Calls come as lines of JSON on standard input, answers go as lines of JSON to what was standard
output; :mod:`edgepack.worker` is the other end.
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
from typing import Any, TextIO

_PROGRESS_INTERVAL_S = 0.05


def main(service: str, arguments: str) -> None:
    """Serve a ``module:Class``, built with JSON arguments, until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what native code prints must not mix with the answers
    calls: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(calls,), daemon=True).start()
    module, _, name = service.partition(":")
    # Importing TensorFlow makes objects by the million and drops few: collecting meanwhile
    # takes a third of the time and frees nothing.
    gc.disable()
    try:
        instance = getattr(importlib.import_module(module), name)(**json.loads(arguments))
    except Exception as error:  # noqa: BLE001 (told to the first caller)
        _send(answers, {"error": _describe(error)})
        return
    finally:
        gc.freeze()
        gc.enable()
    while True:
        call = calls.get()
        try:
            method = getattr(instance, call["method"])
            answer = {"result": method(**call["arguments"], update=_Reporter(answers))}
        except Exception as error:  # noqa: BLE001 (told to the caller)
            answer = {"error": _describe(error)}
        _send(answers, answer)


def _listen(calls: queue.Queue[dict[str, Any]]) -> None:
    """Pass calls on; end the process when the parent is gone, even in the middle of a call."""
    for line in sys.stdin:
        calls.put(json.loads(line))
    os._exit(0)


def _send(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _describe(error: Exception) -> dict[str, str]:
    return {
        # A worker reads models through Keras, which has its own errors: this is a failed write.
        "type": "OSError" if isinstance(error, OSError) else type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }


class _Reporter:
    """Sends updates, but not so many that sending them takes time."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self._next = 0.0

    def __call__(self, done: int, total: int, detail: str = "") -> None:
        now = time.monotonic()
        if now >= self._next or done == total:
            self._next = now + _PROGRESS_INTERVAL_S
            _send(self._answers, {"progress": [done, total, detail]})
