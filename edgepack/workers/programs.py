"""Run a program to its end, within limits of its time and output."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgepack.workers.process_end import GROUP, kill_group, signal_name

MAX_OUTPUT_MIB = 16
_MOST_BYTES = MAX_OUTPUT_MIB << 20
_CHUNK_BYTES = 1 << 16
_LONGEST_REASON = 300
_JOIN_TIMEOUT_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a program wrote to standard output and to standard error.

    ``failure`` is a clause that says why it did not end well, None if it did.
    """

    output: str
    errors: str
    failure: str | None


def run_program(
    command: Sequence[str], *, time_s: float | None, folder: Path | None = None
) -> Ended:
    """Run a program without input, in a folder or the working folder.

    It fails if it takes longer than ``time_s`` seconds or writes more than 16 MiB to either
    stream. It ends with all processes that it has started. Raises OSError if it cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603 (the caller's command, without a shell)
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what there is is read at once
        **GROUP,
    )
    failure = None
    try:
        streams = [_Stream(process, pipe) for pipe in (process.stdout, process.stderr) if pipe]
        process.wait(time_s)
    except subprocess.TimeoutExpired:
        failure = f"took longer than {time_s:g} s"
    finally:
        kill_group(process)
        status = process.wait()
    output, errors = (each.text() for each in streams)
    if any(each.is_cut for each in streams):
        failure = f"wrote more than {MAX_OUTPUT_MIB} MiB"
    return Ended(output=output, errors=errors, failure=failure or _why(status, errors))


def _why(status: int, errors: str) -> str | None:
    """Return why a program failed, the signal or its last line; None if it did not."""
    if killer := signal_name(status):
        return f"was killed by {killer}"
    if not status:
        return None
    *_, last = ["", *errors.strip().splitlines()]
    return f"fails: {last[:_LONGEST_REASON] or f'status {status}'}"


class _Stream:
    """Reads what a process writes to a pipe, and ends the process if that is too much."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        self._process = process
        self._pipe = pipe
        self._data = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while not self.is_cut and (more := self._pipe.read(_CHUNK_BYTES)):
                self._data += more
            if self.is_cut and self._process.returncode is None:
                kill_group(self._process)

    @property
    def is_cut(self) -> bool:
        """Whether the process wrote more than it may."""
        return len(self._data) > _MOST_BYTES

    def text(self) -> str:
        """Return what the process wrote, once it has ended."""
        # A process that has left the group may still hold the pipe.
        self._thread.join(_JOIN_TIMEOUT_S)
        return self._data.decode("utf-8", "replace").replace("\r\n", "\n")
