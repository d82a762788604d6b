"""A process that loads untrusted files has dropped the permissions that it does not need."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import Edgepack, python

from edgepack.config.model_source import ModelSource
from edgepack.core.errors import ConversionError, WorkerLimitError
from edgepack.pipeline.steps.model_process import collect_output, model_session
from edgepack.workers import sandbox as sandbox_module
from edgepack.workers.client import Limits, Worker
from edgepack.workers.memory import machine_bytes
from edgepack.workers.process_limits import limited_memory_growth
from edgepack.workers.sandbox import Sandbox


def landlock() -> int:
    """Return the version of Landlock in this kernel; 0 for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, libc.syscall(444, None, 0, 1)) if sys.platform == "linux" else 0


TESTS = str(Path(__file__).parent)
"""The folder that the services of these tests are imported from."""

needs_memory_limit = pytest.mark.skipif(
    machine_bytes() is None, reason="memory is not limited with an accelerator, or not on Linux"
)
needs_landlock = pytest.mark.skipif(not landlock(), reason="this kernel has no Landlock")


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    folders = {name: tmp_path / name for name in ("input", "work", "other")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "file").write_text("x")
    return folders


def outcomes(folders: dict[str, Path], sandbox: Sandbox | None) -> dict[str, str]:
    """Let a process read and write everywhere; returns the outcome of each attempt."""
    files = [str(folder / "file") for folder in folders.values()]
    with Worker("services:Service", label="x", sandbox=sandbox) as worker:
        done = worker.call("touch", reads=files, writes=[f"{each}.new" for each in files])
    return {
        name.replace(f"{folders['input'].parent}{os.sep}", ""): outcome
        for name, outcome in done.items()
    }


@needs_landlock
def test_it_reads_its_inputs_and_writes_in_its_own_folder(folders: dict[str, Path]) -> None:
    sandbox = Sandbox(reads=(TESTS, str(folders["input"])), writes=(str(folders["work"]),))
    done = outcomes(folders, sandbox)
    assert done.pop("connect") == (
        "PermissionError" if landlock() >= 4 else "ConnectionRefusedError"
    )
    assert done.pop("signal the parent") == ("PermissionError" if landlock() >= 6 else "done")
    assert done == {
        "read input/file": "done",
        "read work/file": "done",
        "read other/file": "PermissionError",
        "write input/file.new": "PermissionError",
        "write work/file.new": "done",
        "write other/file.new": "PermissionError",
        "list /home": "PermissionError",
        "no new privileges": "1",
    }


@needs_landlock
def test_it_reads_the_folders_that_python_is_told_to_import_from(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{folders['other']}{os.pathsep}{os.curdir}{os.pathsep}")
    done = outcomes(folders, Sandbox(reads=(TESTS,)))
    assert done["read other/file"] == "done"
    assert done["read input/file"] == done["write other/file.new"] == "PermissionError"


@needs_landlock
def test_a_single_file_may_be_readable(folders: dict[str, Path]) -> None:
    done = outcomes(folders, Sandbox(reads=(TESTS, str(folders["input"] / "file"))))
    assert done["read input/file"] == "done"
    assert done["read work/file"] == done["write input/file.new"] == "PermissionError"


def test_without_a_sandbox_nothing_is_restricted(folders: dict[str, Path]) -> None:
    done = outcomes(folders, None)
    assert done.pop("no new privileges") == "0"
    assert done.pop("connect") == "ConnectionRefusedError"
    assert set(done.values()) == {"done"}


def test_a_kernel_without_landlock_is_reported_and_not_fatal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Libc:
        @staticmethod
        def prctl(*_: Any) -> int:
            return 0

        @staticmethod
        def syscall(*_: Any) -> int:
            ctypes.set_errno(38)
            return -1

    monkeypatch.setattr(sandbox_module.ctypes, "CDLL", lambda *_, **__: Libc)
    assert sandbox_module.enter_sandbox(Sandbox()) == (
        "Landlock is not available: Function not implemented"
    )


@pytest.mark.parametrize(
    ("source", "is_confined"),
    [
        (ModelSource(path=Path("m.h5")), True),
        (ModelSource(path=Path("m.h5"), allow_unsafe=True), False),
        (ModelSource(path=Path("m.h5"), custom_objects=("own_layers:Scale",)), False),
    ],
)
def test_code_that_the_user_allows_has_the_permissions_of_the_user(
    source: ModelSource, is_confined: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {}
    monkeypatch.setattr(
        "edgepack.pipeline.steps.model_process.Worker", lambda *_, **named: arguments.update(named)
    )
    model_session(source, tmp_path, verbose=False)
    sandbox = arguments["sandbox"]
    assert (sandbox is not None) == is_confined
    if is_confined:
        assert sandbox.reads == (str(Path("m.h5").absolute()), str(tmp_path))
        assert sandbox.writes == (str(tmp_path / "session"),)
        assert not sandbox.connects


@pytest.mark.parametrize(
    ("why", "message"),
    [
        ("'no Landlock'", "the process is not confined: no Landlock\n"),
        ("None", "the process is confined to its input files and to the installed packages\n"),
    ],
)
def test_a_verbose_process_reports_whether_it_is_confined(why: str, message: str) -> None:
    code = (
        f"import edgepack.workers.server as server; server.enter_sandbox = lambda _: {why};"
        "server.main('services:Service', '{}', *__import__('sys').argv[1:])"
    )
    limits = json.dumps(asdict(Limits()))
    done = python("-c", code, limits, json.dumps(asdict(Sandbox())), cwd=TESTS, stdin=DEVNULL)
    assert done.stderr.startswith(message)


@needs_landlock
def test_the_process_that_loads_a_model_is_confined(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from edgepack.config.model_source import ModelSource;"
        "from edgepack.pipeline.steps.model_process import model_session;"
        "from edgepack.core.errors import ModelError\n"
        "path, work = map(Path, sys.argv[1:])\n"
        "with model_session(ModelSource(path=path), work, verbose=True) as session:\n"
        "    try: session.call('load', strategy=None)\n"
        "    except ModelError: pass"
    )
    done = python("-c", code, tmp_path / "gone.h5", tmp_path)
    assert "the process is confined" in done.stderr


def test_a_link_that_a_process_made_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "made").symlink_to(tmp_path / "secret")
    with pytest.raises(ConversionError, match="did not write a regular file"):
        collect_output(tmp_path / "made", tmp_path / "kept")
    assert not (tmp_path / "kept").is_symlink()
    collect_output(tmp_path / "secret", tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == "x"


def test_exceeding_the_memory_limit_is_reported_as_such() -> None:
    limits = Limits(data_bytes=256 << 20)
    message = "the service cannot do the step 'memory' within its memory limit"
    with Worker("services:Service", label="the service", limits=limits) as worker:
        assert worker.call("memory", megabytes=64) == 64 << 20
        with pytest.raises(WorkerLimitError, match=message):
            worker.call("memory", megabytes=1024)


@needs_memory_limit
def test_memory_growth_is_limited_in_a_context_only() -> None:
    with limited_memory_growth(64 << 20), pytest.raises(MemoryError):
        np.ones(512 << 20, np.uint8)
    assert len(np.ones(512 << 20, np.uint8)) == 512 << 20
    assert (machine_bytes() or 0) > 1 << 28


def test_exceeding_the_limit_of_processor_time_is_reported_as_such() -> None:
    with Worker("services:Service", label="the service") as worker:
        assert worker.call("compute", within_s=60) == "done"
        assert worker.call("compute", within_s=60) == "done"  # counted from the start of the call
        message = "the service exceeded its limit of processor time in the step 'compute'"
        with pytest.raises(WorkerLimitError, match=message) as stopped:
            worker.call("compute", within_s=-0.9)
        assert stopped.value.resource == "time"


@needs_memory_limit
def test_a_small_file_that_needs_much_memory_is_refused_in_one_line(
    edgepack: Edgepack, tmp_path: Path
) -> None:
    units = 1 << 28
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "name": "x"}},
        {"class_name": "Dense", "config": {"name": "wide", "units": units}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    with h5py.File(tmp_path / "wide.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.15.0"
        file.create_group("model_weights").attrs["layer_names"] = [b"wide"]
    np.save(tmp_path / "x.npy", np.zeros((8, 4), np.float32))
    done = edgepack("lint", tmp_path / "wide.h5", tmp_path / "x.npy")
    assert done.returncode == 2
    assert "requires far more memory than its " in done.stderr
    assert "bytes explain: OOM when allocating" in done.stderr
    assert "Traceback" not in done.stderr
