"""A program of the machine is run within limits, and leaves nothing running."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from test_worker import await_end

from edgepack.workers.programs import MAX_OUTPUT_MIB, Ended, run_program

LINE = b"an endless line " * 4096


def run(code: str, *, time_s: float | None = 20.0, folder: Path | None = None) -> Ended:
    return run_program([sys.executable, "-c", code], time_s=time_s, folder=folder)


def test_what_a_program_writes_is_returned_as_text_and_it_reads_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; print(os.getcwd(), repr(sys.stdin.read()));"
        "sys.stderr.buffer.write(bytes.fromhex('77c3b66f72 64 ff 0d0a'))"
    )
    ended = run(code, time_s=None, folder=tmp_path)
    assert ended == Ended(
        output=f"{tmp_path} ''\n", errors="wöord\N{REPLACEMENT CHARACTER}\n", failure=None
    )


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
        ("import sys; sys.exit('one\\nno such library\\n')", "fails: no such library"),
        ("import sys; sys.exit('x' * 9000)", f"fails: {'x' * 300}"),
        ("import sys; sys.exit(9)", "fails: status 9"),
        ("import time; time.sleep(600)", "took longer than 0.5 s"),
    ],
)
def test_why_a_program_fails_is_a_clause(code: str, failure: str) -> None:
    assert run(code, time_s=0.5 if "took" in failure else 20.0).failure == failure


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_program_that_writes_for_ever_is_ended(stream: str) -> None:
    started = time.monotonic()
    ended = run(f"import sys\nwhile True: sys.{stream}.buffer.write({LINE!r})")
    assert ended.failure == f"wrote more than {MAX_OUTPUT_MIB} MiB"
    assert len(ended.output + ended.errors) <= (MAX_OUTPUT_MIB << 20) + (1 << 16)
    assert time.monotonic() - started < 15


def test_as_much_as_is_allowed_is_returned() -> None:
    ended = run(f"print('x' * {(MAX_OUTPUT_MIB << 20) - 1})")
    assert (len(ended.output), ended.failure) == (MAX_OUTPUT_MIB << 20, None)


@pytest.mark.parametrize("end", ["", "time.sleep(600)", "os.abort()"])
def test_what_a_program_started_ends_with_it(end: str) -> None:
    code = (
        "import os, subprocess, time\n"
        "print(subprocess.Popen(['sleep', '600']).pid, flush=True)\n" + end
    )
    started = time.monotonic()
    ended = run(code, time_s=2.0)
    assert time.monotonic() - started < 10
    await_end(int(ended.output))


def test_a_process_that_left_the_group_keeps_nobody_waiting() -> None:
    code = (
        "import subprocess; print('version 1', flush=True)\n"
        "subprocess.Popen(['sleep', '8'], start_new_session=True)"
    )
    started = time.monotonic()
    assert run(code) == Ended(output="version 1\n", errors="", failure=None)
    assert time.monotonic() - started < 7


def test_what_cannot_be_started_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_program([str(tmp_path / "cc")], time_s=1.0)
