"""Worker processes: crashes, errors and output of a worker do not affect the parent."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from conftest import ROOT

from edgepack.core.codec import as_json
from edgepack.core.errors import ModelError, WorkerCrashError
from edgepack.workers.client import Limits, Worker
from edgepack.workers.restarting_worker import RestartingWorker

WAIT_S = 20


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker("services:Service", label="the service", greeting="good day") as running:
        yield running


def test_a_call_returns_its_result_and_reports_progress(worker: Worker) -> None:
    seen: list[tuple[int, int]] = []
    result = worker.call(
        "greet", name="you", update=lambda done, total, _detail="": seen.append((done, total))
    )
    assert result == "good day you"
    assert seen[-1] == (2, 2)


def test_the_output_of_native_code_is_not_a_reply(worker: Worker) -> None:
    assert worker.call("print_to_everything") == "quiet"


def test_an_edgepack_error_is_raised_again_and_the_worker_continues(worker: Worker) -> None:
    with pytest.raises(ModelError, match=r"^model\.h5: no$"):
        worker.call("refuse")
    assert worker.call("greet", name="again") == "good day again"


def test_a_full_disk_is_raised_as_an_os_error(worker: Worker) -> None:
    with pytest.raises(OSError, match="No space left on device"):
        worker.call("fill_the_disk")


def test_a_bug_keeps_its_traceback(worker: Worker) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)services\.py.*ZeroDivisionError: a bug"):
        worker.call("have_a_bug")


def test_a_crash_is_named_with_its_signal_and_step(worker: Worker) -> None:
    with pytest.raises(WorkerCrashError, match="the service was killed by SIGSEGV in the step"):
        worker.call("crash")
    with pytest.raises(WorkerCrashError, match="killed by SIGSEGV"):
        worker.call("greet", name="nobody")


def test_a_process_that_exits_is_named_with_its_status(worker: Worker) -> None:
    with pytest.raises(WorkerCrashError, match="ended with status 3 in the step 'leave'"):
        worker.call("leave")


def test_a_service_that_cannot_be_constructed_fails_at_the_first_call() -> None:
    with Worker("services:Unbuildable", label="x") as broken:
        with pytest.raises(ModelError):
            broken.call("anything")
        with pytest.raises(WorkerCrashError, match="x ended with status 1 in the step 'anything'"):
            broken.call("anything")


def test_leaving_the_context_ends_a_worker_during_a_call() -> None:
    started = time.monotonic()
    with Worker("services:Service", label="x") as sleeper:
        sleeper.start("sleep")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("method", "how"),
    [
        ("exit", "ended with status 1"),
        ("exit_beside_a_thread", "ended with status 1"),
        ("close_its_pipes", "was killed by SIGKILL"),
        ("fork_and_crash", "was killed by SIGABRT"),
    ],
)
def test_a_call_ends_however_the_worker_gives_up(worker: Worker, method: str, how: str) -> None:
    with pytest.raises(WorkerCrashError, match=f"the service {how} in the step '{method}'"):
        worker.start(method).result(WAIT_S)


def test_a_program_that_a_service_left_takes_no_calls(worker: Worker) -> None:
    worker.call("leave_a_program_that_reads")
    assert worker.start("greet", name="you").result(WAIT_S) == "good day you"


@pytest.mark.parametrize(
    ("stdin", "why"),
    [
        ("<&-", "Bad file descriptor"),
        ("<services.py", "JSONDecodeError"),
    ],
)
def test_a_worker_that_can_get_no_calls_ends_and_says_why(stdin: str, why: str) -> None:
    code = "import sys; from edgepack.workers.server import main; main(*sys.argv[1:])"
    arguments = ("services:Service", "{}", json.dumps(as_json(Limits())), "null")
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {stdin}', "sh", sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
        cwd=ROOT / "tests",
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr


def is_running(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return not stat.split(") ")[1].startswith("Z")  # a zombie waits for a parent that is gone


def await_end(process: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while is_running(process):
        assert time.monotonic() < deadline, f"{process} still runs"
        time.sleep(0.05)


@pytest.mark.parametrize("method", ["start_and_sleep", "fork_and_crash"])
def test_what_a_service_started_ends_with_its_worker(method: str) -> None:
    seen: queue.Queue[int] = queue.Queue()
    with Worker("services:Service", label="x") as worker:
        worker.start(method, update=lambda child, *_: seen.put(child))
        child = seen.get(timeout=WAIT_S)
    await_end(child)


def test_a_worker_and_what_it_started_end_when_its_parent_is_killed() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from edgepack.workers.client import Worker\n"
        "w = Worker('services:Service', label='x').__enter__()\n"
        "show = lambda child, *_: print(w._process.pid, child, flush=True)\n"
        "w.start('start_and_sleep', update=show); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        processes = [int(each) for each in parent.stdout.readline().split()]
        assert len(processes) == 2
        parent.send_signal(signal.SIGKILL)
    for each in processes:
        await_end(each)


def test_nothing_is_imported_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "numpy", "sitecustomize", "queue"):
        (tmp_path / f"{name}.py").write_text("import os; os._exit(77)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", os.curdir)])
    with Worker("services:Service", label="x") as running:
        assert running.call("greet", name="you") == "hello you"


def test_a_worker_that_was_ended_is_replaced_until_its_context_ends() -> None:
    start = partial(Worker, "services:Service", label="the service")
    with RestartingWorker(start, "the service") as replaced:
        with pytest.raises(WorkerCrashError, match="SIGSEGV"):
            replaced.call("crash")
        assert replaced.call("greet", name="you") == "hello you"
    with pytest.raises(WorkerCrashError, match="the service was ended before 'greet'"):
        replaced.call("greet", name="you")
