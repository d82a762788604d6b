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

README = (ROOT / "README.md").read_text()
SOURCES = {
    "bash": r"^ +complete .* edgepack$",
    "zsh": r"^#compdef edgepack$",
    "fish": r"^complete .*--command edgepack ",
}


def edgepack(variable: str, status: int = 0, **variables: str) -> str:
    """Run edgepack as a shell does, which names in a variable what it wants."""
    done = subprocess.run(
        [sys.executable, "-m", "edgepack"],
        env=os.environ | {"_EDGEPACK_COMPLETE": variable} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")
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
    assert f"_EDGEPACK_COMPLETE={shell}_source edgepack" in documented_line(shell)


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


def documented_line(shell: str) -> str:
    """Return the line that README.md gives for the start-up file of a shell."""
    (line,) = re.findall(rf"^(.*_EDGEPACK_COMPLETE={shell}_source.*?) +# ~", README, re.MULTILINE)
    return str(line)


def bash(script: str, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("bash"), "-c", script],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_bash_completes_with_the_line_that_is_documented() -> None:
    script = (
        f"{documented_line('bash')}; COMP_WORDS=(edgepack validate --target"
        ' na); COMP_CWORD=3; _edgepack_completion edgepack; echo "${COMPREPLY[@]}"'
    )
    done = bash(script, os.pathsep.join((str(Path(need("edgepack")).parent), os.environ["PATH"])))
    assert (done.stdout, done.stderr) == ("nano-33-ble-sense\n", "")


def test_a_shell_without_edgepack_on_its_path_starts_without_an_error(tmp_path: Path) -> None:
    for shell in ("bash", "zsh"):
        done = bash(documented_line(shell), str(tmp_path))
        assert (done.stdout, done.stderr) == ("", "")


@pytest.fixture
def own_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "edgepack" / "targets"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return folder


def test_own_targets_are_completed_if_they_are_valid_and_one_word(own_targets: Path) -> None:
    valid = (ROOT / "targets" / "rp2040.toml").read_text()
    for name in ("sensor-board", "sensor\nrp2350", "sensor-\udcff"):
        (own_targets / f"{name}.toml").write_text(valid)
    (own_targets / "sensor-broken.toml").write_text("kind = ")
    assert completed("edgepack validate --target sen") == ["sensor-board"]
    assert "rp2350" not in completed("edgepack validate --target sensor")


@pytest.mark.parametrize("shell", SOURCES)
@pytest.mark.parametrize(
    "words",
    [
        "edgepack \udcff",
        "edgepack inspect \udcff",
        "edgepack validate --target \udcff",
        "edgepack validate --metric \udcff",
        "edgepack export --representative \udcff",
        "edgepack firmware kws=\udcff",
    ],
)
def test_words_that_are_no_text_are_completed_as_files_or_not_at_all(
    shell: str, words: str
) -> None:
    last = words.rsplit(maxsplit=1)[-1] if shell == "fish" else str(len(words.split()) - 1)
    output = edgepack(f"{shell}_complete", COMP_WORDS=words, COMP_CWORD=last)
    assert output.strip() == "" or output.startswith("file")


@pytest.mark.parametrize(
    "variables",
    [
        {"COMP_WORDS": "edgepack validate", "COMP_CWORD": "x"},
        {"COMP_WORDS": "edgepack validate"},
        {"COMP_CWORD": "1"},
        {},
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_no_shell_asks_is_not_answered(shell: str, variables: dict[str, str]) -> None:
    assert edgepack(f"{shell}_complete", status=1, **variables) == ""
