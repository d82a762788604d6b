"""Shells complete commands, options, and the names that options take."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, need

from edgepack.cli import cli
from edgepack.config.quantization import SCHEMES
from edgepack.devices.target import LAYOUTS, target_names
from edgepack.metrics.registry import METRICS

SOURCES = {
    "bash": r"^ +complete .* edgepack$",
    "zsh": r"^#compdef edgepack$",
    "fish": r"^complete .*--command edgepack ",
}


def edgepack(variable: str, **variables: str) -> str:
    """Run edgepack as a shell does, which names in a variable what it wants."""
    done = subprocess.run(
        [sys.executable, "-m", "edgepack"],
        env=os.environ | {"_EDGEPACK_COMPLETE": variable} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def completed(line: str) -> list[str]:
    """Return how bash completes the last word of a command line; files are <file>."""
    count = len(line.split(" ")) - 1
    output = edgepack("bash_complete", COMP_WORDS=line, COMP_CWORD=str(count))
    kinds = [tuple(each.split(",", 1)) for each in output.splitlines()]
    return ["<file>" if kind == "file" else word for kind, word in kinds]


@pytest.mark.parametrize("shell", SOURCES)
def test_each_shell_gets_its_script_as_documented(shell: str) -> None:
    script = edgepack(f"{shell}_source")
    assert re.search(SOURCES[shell], script, re.MULTILINE), script
    assert f"_EDGEPACK_COMPLETE={shell}_source edgepack" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("edgepack ", sorted(cli.commands)),
        ("edgepack d", ["debug", "diff", "doctor"]),
        ("edgepack validate --target na", ["nano-33-ble-sense"]),
        ("edgepack export model.h5 --target ", target_names()),
        ("edgepack firmware a.tflite --target rp", ["rp2040", "rp2350"]),
        ("edgepack firmware a.tflite --layout ", [*LAYOUTS]),
        ("edgepack validate a.tflite --metric f1", [name for name in METRICS if name[:2] == "f1"]),
        ("edgepack quantize --scheme ", [*SCHEMES]),
        ("edgepack quantize --observer m", ["min-max", "moving-average", "mse"]),
        ("edgepack validate --format j", ["json", "junit"]),
        ("edgepack export mod", ["<file>"]),
        ("edgepack export --representative da", ["<file>"]),
        ("edgepack firmware kw", ["<file>"]),
        ("edgepack validate --target ./mine", ["<file>"]),
        ("edgepack inspect --js", ["--json"]),
    ],
)
def test_words_are_completed(line: str, words: list[str]) -> None:
    assert completed(line) == words


def test_bash_completes_with_the_line_that_is_documented() -> None:
    script = (
        'eval "$(_EDGEPACK_COMPLETE=bash_source edgepack)"; COMP_WORDS=(edgepack validate --target'
        ' na); COMP_CWORD=3; _edgepack_completion edgepack; echo "${COMPREPLY[@]}"'
    )
    path = os.pathsep.join((str(Path(need("edgepack")).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("nano-33-ble-sense\n", "")


def test_own_targets_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "edgepack" / "targets").mkdir(parents=True)
    (tmp_path / "edgepack" / "targets" / "sensor-board.toml").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert completed("edgepack validate --target sen") == ["sensor-board"]
