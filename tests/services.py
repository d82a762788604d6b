"""Services for tests of worker processes."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgepack.core.errors import ModelError
from edgepack.workers.process_limits import limited_processor_time


def _outcome(action: Any) -> str:
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"


class Service:
    """A service whose methods return, fail or crash."""

    def __init__(self, greeting: str = "hello") -> None:
        self.greeting = greeting

    def greet(self, *, name: str, update: Any) -> str:
        update(1, 2)
        update(2, 2)
        return f"{self.greeting} {name}"

    def print_to_everything(self, *, update: Any) -> str:
        update(0, 1)
        os.write(1, b"native noise\n")
        sys.stdout.write("python noise\n")
        sys.stdout.flush()
        return "quiet"

    def touch(self, *, reads: list[str], writes: list[str], update: Any) -> dict[str, str]:
        """Read and write files, list a folder, connect and signal; returns the outcomes."""
        update(0, 1)
        outcomes = {}
        for path in reads:
            outcomes[f"read {path}"] = _outcome(lambda path=path: Path(path).read_bytes())
        for path in writes:
            outcomes[f"write {path}"] = _outcome(lambda path=path: Path(path).write_bytes(b"x"))
        outcomes["list /home"] = _outcome(lambda: list(Path("/home").iterdir()))
        outcomes["connect"] = _outcome(lambda: socket.create_connection(("127.0.0.1", 1), 1))
        outcomes["signal the parent"] = _outcome(lambda: os.kill(os.getppid(), 0))
        status = Path("/proc/self/status").read_text()
        outcomes["no new privileges"] = status.split("NoNewPrivs:")[1][1]
        return outcomes

    def say(self, *, text: str, update: Any) -> None:
        update(0, 1)
        os.write(2, f"{text}\n".encode())

    def memory(self, *, megabytes: int, update: Any) -> int:
        update(0, 1)
        return len(bytes(megabytes << 20))

    def refuse(self, *, update: Any) -> None:
        update(0, 1)
        raise ModelError("model.h5: no")

    def fill_the_disk(self, *, update: Any) -> None:
        update(0, 1)
        with open("/dev/full", "wb") as file:  # noqa: PTH123 (a device)
            file.write(b"x")

    def have_a_bug(self, *, update: Any) -> None:
        update(0, 1)
        raise ZeroDivisionError("a bug")

    def crash(self, *, update: Any) -> None:
        update(0, 1)
        ctypes.string_at(0)

    def leave(self, *, update: Any) -> None:
        update(0, 1)
        os._exit(3)

    def exit(self, *, update: Any) -> None:
        update(0, 1)
        sys.exit(3)

    def exit_beside_a_thread(self, *, update: Any) -> None:
        update(0, 1)
        threading.Thread(target=time.sleep, args=(600,)).start()
        sys.exit()

    def close_its_pipes(self, *, update: Any) -> None:
        update(0, 1)
        os.closerange(0, 1000)
        time.sleep(600)

    def leave_a_program_that_reads(self, *, update: Any) -> int:
        update(0, 1)
        return subprocess.Popen(["sh", "-c", "cat; exec sleep 600"]).pid

    def start_and_sleep(self, *, update: Any) -> None:
        with subprocess.Popen(["sleep", "600"]) as child:
            update(child.pid, child.pid)

    def fork_and_crash(self, *, update: Any) -> None:
        child = os.fork()
        if not child:
            time.sleep(600)
        update(child, child)
        os.abort()

    def sleep(self, *, update: Any) -> None:
        update(0, 1)
        time.sleep(600)

    def work_for_long(self, *, update: Any) -> str:
        for done in range(12):
            time.sleep(0.1)
            update(done + 1, 12)
        return "done"

    def hang_in_native_code(self, *, update: Any) -> None:
        update(0, 1)
        re.match(r"(a|a)*b", "a" * 40)  # for years, without returning to Python

    def take(self, *, size: int, update: Any) -> int:
        update(0, 1)
        return len(np.ones(size, np.uint8))

    def abort_without_memory(self, *, update: Any) -> None:
        update(0, 1)
        os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
        os.abort()

    def compute(self, *, within_s: float, update: Any) -> str:
        update(0, 1)
        with limited_processor_time(within_s):
            until = time.process_time() + 0.5
            while time.process_time() < until:
                pass
        return "done"

    def core_dump_bytes(self, *, update: Any) -> int:
        update(0, 1)
        return resource.getrlimit(resource.RLIMIT_CORE)[0]


class Unbuildable:
    """A service whose constructor fails."""

    def __init__(self) -> None:
        raise ModelError("cannot start")
