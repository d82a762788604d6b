"""A kill at any moment loses no data, and the next run cleans up after it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny
from conftest import ROOT, python

from edgepack.storage.artifact import describe_all
from edgepack.storage.manifest import MANIFEST


@pytest.mark.parametrize("way", [(), ("twice",)], ids=["exchanged", "renamed twice"])
def test_a_kill_at_any_step_leaves_the_old_folder_or_the_new_one(
    tmp_path: Path, way: tuple[str, ...]
) -> None:
    done = python(ROOT / "tests" / "killed.py", tmp_path, *way)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["faults"] == []
    assert result["steps"] > 20


class Killed:
    """A command that writes to `out` and is killed at some moment of each run."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self._folder = folder
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._command = [sys.executable, "-m", "edgepack", *map(str, arguments), "--output"]
        self._command += ["place/out", "--force"]
        self._environment = os.environ | {"TMPDIR": str(self._temporary)}
        (folder / "place").mkdir()

    def run(self, kill_after_s: float | None = None) -> float:
        """Run the command, or kill it after so long; returns how long it took."""
        started = time.monotonic()
        with subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                _, errors = process.communicate(timeout=kill_after_s)
                assert process.returncode == 0, errors
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        return time.monotonic() - started

    def require_whole(self) -> None:
        """Assert that the folder holds exactly what its manifest lists."""
        output = self._folder / "place" / "out"
        listed = json.loads((output / MANIFEST).read_text())["artifacts"]
        present = {name: vars(each) for name, each in describe_all(output).items()}
        del present[MANIFEST]
        assert present == listed

    def left_over(self) -> list[str]:
        """Return the names of what is beside the folder, and among the temporary files."""
        paths = (*(self._folder / "place").iterdir(), *self._temporary.iterdir())
        return sorted(path.name for path in paths if path.name != "out")

    def kill_often(self, times: int, seed: int) -> None:
        """Kill runs at moments between their start and end, then let one finish."""
        duration_s = self.run()
        self.require_whole()
        for moment in random.Random(seed).choices(range(1000), k=times):
            self.run(kill_after_s=duration_s * moment / 1000)
            self.require_whole()
        self.run()
        self.require_whole()
        deadline = time.monotonic() + 30  # a worker may outlive its parent for a moment
        while self.left_over() and time.monotonic() < deadline:
            time.sleep(1)
            self.run()
        assert self.left_over() == []


def test_a_command_that_is_killed_several_times_loses_nothing(tmp_path: Path) -> None:
    end = tiny.Value((1, 4))
    (tmp_path / "model.tflite").write_bytes(tiny.one_operator("ABS", [end], [end]))
    Killed(tmp_path, "phone", "model.tflite").kill_often(times=5, seed=0)


@pytest.mark.slow
def test_an_export_that_is_killed_a_hundred_times_loses_nothing(
    tmp_path: Path, models: Path
) -> None:
    data = models / "cnn.npz"
    killed = Killed(tmp_path, "export", models / "cnn.h5", "--representative", data)
    killed.kill_often(times=100, seed=0)
