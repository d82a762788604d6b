"""A process that loads what may be anybody's has taken from itself what it does not need."""

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

from edgepack.config.export import ModelSource
from edgepack.core.errors import ConversionError, WorkerLimitError
from edgepack.pipeline.steps.model_process import keep, model_session
from edgepack.workers import sandbox as confining
from edgepack.workers.client import Limits, Worker
from edgepack.workers.resources import growing_at_most, machine_bytes
from edgepack.workers.sandbox import Sandbox


def landlock() -> int:
    """Tell the version of Landlock here; 0 for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, libc.syscall(444, None, 0, 1)) if sys.platform == "linux" else 0


TESTS = str(Path(__file__).parent)
"""Where the services of these tests are imported from."""

needs_account_of_memory = pytest.mark.skipif(
    machine_bytes() is None, reason="memory is not counted beside an accelerator, or not on Linux"
)
needs_landlock = pytest.mark.skipif(not landlock(), reason="this kernel has no Landlock")


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("given", "work", "other")}
    for folder in found.values():
        folder.mkdir()
        (folder / "file").write_text("x")
    return found


def touched(places: dict[str, Path], confinement: Sandbox | None) -> dict[str, str]:
    """Let a process read and write everywhere; returns what became of it."""
    files = [str(folder / "file") for folder in places.values()]
    with Worker("services:Service", label="x", confinement=confinement) as worker:
        done = worker.call("touch", reads=files, writes=[f"{each}.new" for each in files])
    return {
        name.replace(f"{places['given'].parent}{os.sep}", ""): what for name, what in done.items()
    }


@needs_landlock
def test_it_reads_what_it_was_given_and_writes_in_its_own_folder(places: dict[str, Path]) -> None:
    rights = Sandbox(reads=(TESTS, str(places["given"])), writes=(str(places["work"]),))
    done = touched(places, rights)
    assert done.pop("connect") == (
        "PermissionError" if landlock() >= 4 else "ConnectionRefusedError"
    )
    assert done.pop("signal the parent") == ("PermissionError" if landlock() >= 6 else "done")
    assert done == {
        "read given/file": "done",
        "read work/file": "done",
        "read other/file": "PermissionError",
        "write given/file.new": "PermissionError",
        "write work/file.new": "done",
        "write other/file.new": "PermissionError",
        "list /home": "PermissionError",
        "gain rights": "1",
    }


@needs_landlock
def test_a_single_file_may_be_given(places: dict[str, Path]) -> None:
    done = touched(places, Sandbox(reads=(TESTS, str(places["given"] / "file"))))
    assert done["read given/file"] == "done"
    assert done["read work/file"] == done["write given/file.new"] == "PermissionError"


def test_without_a_confinement_nothing_is_taken(places: dict[str, Path]) -> None:
    done = touched(places, None)
    assert done.pop("gain rights") == "0"
    assert done.pop("connect") == "ConnectionRefusedError"
    assert set(done.values()) == {"done"}


def test_where_the_kernel_has_no_landlock_it_says_so_and_goes_on(
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

    monkeypatch.setattr(confining.ctypes, "CDLL", lambda *_, **__: Libc)
    assert confining.enter_sandbox(Sandbox()) == (
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
def test_code_that_the_user_allows_has_the_rights_of_the_user(
    source: ModelSource, is_confined: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        "edgepack.pipeline.steps.model_process.Worker", lambda *_, **named: given.update(named)
    )
    model_session(source, tmp_path, verbose=False)
    rights = given["confinement"]
    assert (rights is not None) == is_confined
    if is_confined:
        assert rights.reads == (str(Path("m.h5").absolute()), str(tmp_path))
        assert rights.writes == (str(tmp_path / "session"),)
        assert not rights.connects


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("'no Landlock'", "the process is not confined: no Landlock\n"),
        ("None", "the process is confined: it reaches the files that it was given, and the"),
    ],
)
def test_a_verbose_process_says_whether_it_is_confined(why: str, said: str) -> None:
    code = (
        f"import edgepack.workers.server as serve; serve.confine = lambda _: {why};"
        "serve.main('services:Service', '{}', *__import__('sys').argv[1:])"
    )
    limits = json.dumps(asdict(Limits()))
    done = python("-c", code, limits, json.dumps(asdict(Sandbox())), cwd=TESTS, stdin=DEVNULL)
    assert done.stderr.startswith(said)


@needs_landlock
def test_the_process_that_loads_a_model_is_confined(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from edgepack.config.export import Source;"
        "from edgepack.pipeline.steps.model_process import model_session;"
        "from edgepack.core.errors import ModelError\n"
        "path, work = map(Path, sys.argv[1:])\n"
        "with model_session(Source(path=path), work, verbose=True) as session:\n"
        "    try: session.call('load', strategy=None)\n"
        "    except ModelError: pass"
    )
    done = python("-c", code, tmp_path / "gone.h5", tmp_path)
    assert "the process is confined" in done.stderr


def test_what_is_no_file_of_a_process_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "made").symlink_to(tmp_path / "secret")
    with pytest.raises(ConversionError, match="did not write a regular file"):
        keep(tmp_path / "made", tmp_path / "kept")
    assert not (tmp_path / "kept").is_symlink()
    keep(tmp_path / "secret", tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == "x"


def test_more_memory_than_it_may_have_is_told_as_such() -> None:
    limits = Limits(data_bytes=256 << 20)
    with Worker("services:Service", label="the service", limits=limits) as worker:
        assert worker.call("memory", megabytes=64) == 64 << 20
        with pytest.raises(WorkerLimitError, match="the service cannot do the step 'memory' with"):
            worker.call("memory", megabytes=1024)


@needs_account_of_memory
def test_memory_may_grow_by_so_much_for_a_while() -> None:
    with growing_at_most(64 << 20), pytest.raises(MemoryError):
        np.ones(512 << 20, np.uint8)
    assert len(np.ones(512 << 20, np.uint8)) == 512 << 20
    assert (machine_bytes() or 0) > 1 << 28


def test_what_computes_for_longer_than_it_may_is_ended_and_told() -> None:
    with Worker("services:Service", label="the service") as worker:
        assert worker.call("compute", within_s=60) == "done"
        assert worker.call("compute", within_s=60) == "done"  # counted from where it begins
        told = "the service cannot do the step 'compute' in the processor time it may use"
        with pytest.raises(WorkerLimitError, match=told) as stopped:
            worker.call("compute", within_s=-0.9)
        assert stopped.value.resource == "time"


@needs_account_of_memory
def test_a_small_file_that_asks_for_much_memory_is_refused_in_a_line(
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
