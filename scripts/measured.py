"""What commands of edgepack take: their time, and the memory of all their processes."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_EDGEPACK = """
import resource, sys
from edgepack.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def edgepack(*arguments: object) -> list[str]:
    """Give the command line of a command of edgepack that tells its peak memory in the end."""
    return [sys.executable, "-c", _EDGEPACK, *map(str, arguments)]


def seconds(command: list[str], *, may_fail: bool = False, folder: Path | None = None) -> float:
    """Run a command quietly; returns its wall time.

    It must succeed; a model that fails on a target, for which the exit status is 1, only where it
    ``may_fail``. It runs in ``folder``, if one is given.
    """
    started = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, cwd=folder)
    if done.returncode > may_fail:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return time.perf_counter() - started


def repeated(test: Path, count: int, folder: Path) -> Path:
    """Write so many samples, those of an .npz file over and over."""
    data = np.load(test)
    path = folder / f"{count}.npz"
    np.savez(path, **{name: data[name][np.arange(count) % len(data[name])] for name in data.files})
    return path


def peaks(command: list[str]) -> tuple[float, float]:
    """Run a command of :func:`edgepack`; returns its peak and its largest worker's, in MiB."""
    largest = 0
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        while process.poll() is None:
            # Not what getrusage says of children: they begin with the memory of their parent.
            for worker in _workers(process.pid):
                with contextlib.suppress(OSError, IndexError):
                    status = Path(f"/proc/{worker}/status").read_text()
                    largest = max(largest, int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]))
            time.sleep(0.02)
        errors.seek(0)
        own = int(errors.read().splitlines()[-1])
    return own / 1024, largest / 1024


def _workers(parent: int) -> list[str]:
    """List the processes that a process started."""
    found = (Path(f"/proc/{parent}/task/{task.name}/children") for task in _tasks(parent))
    with contextlib.suppress(OSError):
        children = [child for path in found for child in path.read_text().split()]
        # Until its own program begins, it is a copy of its parent.
        return [
            child
            for child in children
            if b"edgepack.workers.server" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
    return []


def _tasks(process: int) -> list[Path]:
    """List the threads of a process."""
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{process}/task").iterdir())
    return []
