"""No command overwrites its own inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
from conftest import Edgepack

from edgepack.core.errors import OutputError
from edgepack.storage.manifest import MANIFEST
from edgepack.storage.output_folder import staged_output
from edgepack.storage.text_files import write_json

OVERLAP = "which this command reads, and which would be replaced with it; choose another --output"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder with a file, as `edgepack phone` writes it."""
    folder = tmp_path / "out"
    write(folder, "phone", "model.tflite")
    return folder


def write(folder: Path, command: str, *names: str) -> None:
    """Write a folder as a command would."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"precious")
    manifest = {
        "schema": 1,
        "command": command,
        "artifacts": {name: {} for name in names},
        "versions": {"edgepack": "0"},
    }
    write_json(folder / MANIFEST, manifest)


def replace(output: Path, *inputs: object) -> None:
    with staged_output(output, "phone", inputs, force=True):
        pass


def link_to(target: Path) -> Path:
    link = target.parent.parent / "link.tflite"
    link.symlink_to(target)
    return link


def link_over_a_link(target: Path) -> Path:
    """A symlink to a symlink in the folder that leads out of it."""
    outside = target.parent.parent / "outside.tflite"
    target.rename(outside)
    target.symlink_to(outside)
    return link_to(target)


def hard_link_to(target: Path) -> Path:
    link = target.parent.parent / "hard.tflite"
    link.hardlink_to(target)
    return link


def folder_of_links(target: Path) -> Path:
    folder = target.parent.parent / "photos" / "cats"
    folder.mkdir(parents=True)
    (folder / "cat.png").symlink_to(target)
    return folder.parent


def link_to_the_folder(target: Path) -> Path:
    link = target.parent.parent / "folder"
    link.symlink_to(target.parent)
    return link / target.name


WAYS: dict[str, Callable[[Path], Path]] = {
    "itself": lambda target: target,
    "relative": lambda target: Path(os.path.relpath(target)),
    "by ..": lambda target: target.parent / ".." / target.parent.name / target.name,
    "the folder": lambda target: target.parent,
    "link": link_to,
    "link over a link": link_over_a_link,
    "hard link": hard_link_to,
    "link to the folder": link_to_the_folder,
    "folder of links": folder_of_links,
    "missing": lambda target: target.with_name("missing.npz"),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_output_that_contains_an_input_is_refused_however_it_is_named(
    bundle: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle.parent)
    path = WAYS[way](bundle / "model.tflite")
    with pytest.raises(OutputError, match="out: contains ") as refused:
        replace(bundle, path)
    assert str(refused.value).endswith(OVERLAP)
    assert (bundle / "model.tflite").read_bytes() == b"precious"


@pytest.mark.parametrize("output", ["photos", "photos/deep/out", "photos/deep/../out"])
def test_an_output_in_a_folder_of_data_is_refused(tmp_path: Path, output: str) -> None:
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    for data in (tmp_path / "photos", tmp_path / "link"):
        with pytest.raises(OutputError, match="which this command reads"):
            replace(tmp_path / output, data)
    assert {path.name for path in tmp_path.rglob("*")} == {"photos", "link", "deep"}


def test_an_output_that_contains_the_working_folder_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bundle / "deep").mkdir()
    for folder in (bundle, bundle / "deep"):
        monkeypatch.chdir(folder)
        with pytest.raises(OutputError, match="out: contains the working folder"):
            replace(bundle)


def test_an_output_beside_its_inputs_is_written(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bundle.parent)
    (bundle.parent / "out.npz").write_bytes(b"")
    (bundle.parent / "outside").mkdir()
    inputs = ["out.npz", "outside", bundle / ".." / "out.npz", "my_data:samples", np.zeros(3)]
    replace(bundle, *inputs)
    assert list(bundle.iterdir()) == []


def test_a_checkpoint_in_the_output_is_refused_before_the_work(
    edgepack: Edgepack, inputs: Path
) -> None:
    done = edgepack(
        *("export", MODEL, "--representative", DATA, "--train", DATA),
        *("--checkpoints", "out/kept", "--output", "out"),
        cwd=inputs,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "out: contains out/kept" in done.stderr
    assert done.stderr.strip().endswith(OVERLAP)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with a file of each kind that commands read; they need not be usable."""
    folder = tmp_path / "inputs"
    end = tiny.Value((1, 4))
    folder.mkdir()
    (folder / "model.tflite").write_bytes(tiny.one_operator("ABS", [end], [end]))
    (folder / "float.tflite").write_bytes((folder / "model.tflite").read_bytes())
    np.savez(folder / "data.npz", x=np.ones((4, 4), np.float32))
    np.savez(folder / "test.npz", x=np.ones((4, 4), np.float32))
    (folder / "ranges.json").write_text("{}")
    (folder / "project.toml").write_text("")
    (folder / "labels.txt").write_text("a\nb\nc\nd\n")
    (folder / "mine.toml").write_text(
        'description = "d"\nkind = "microcontroller"\nprocessor = "p"\nclock_mhz = 1.0\n'
        'sources = ["s"]\nquantization = "any"\ndata_types = ["float32", "int8"]\n'
        'kernels = "reference"\nflash_bytes = 10000000\nram_bytes = 10000000\n'
        'interpreters = {tflm = "0.dev20231010131554"}\n'
    )
    return folder


MODEL, DATA, PROJECT, LABELS = "model.tflite", "data.npz", "project.toml", "labels.txt"
CALLS = {
    "export": [MODEL, *("--representative", DATA), *("--test", "test.npz"), *("--config", PROJECT)],
    "quantize": [MODEL, *("--representative", DATA), *("--target", "mine.toml")],
    "debug": [MODEL, *("--ranges", "ranges.json"), *("--test", DATA)],
    "study": [MODEL, *("--test", DATA)],
    "compare": ["float.tflite", f"a={MODEL}", *("--test", DATA), *("--labels", LABELS)],
    "firmware": [
        MODEL,
        *("--target", "mine.toml"),
        *("--test", DATA),
        *("--preprocessing", PROJECT),
    ],
    "phone": [MODEL, *("--labels", LABELS), *("--config", PROJECT)],
}
"""The commands that write folders; every argument that does not begin with a dash is a file."""

CASES = [
    (command, name.rpartition("=")[2])
    for command, arguments in CALLS.items()
    for name in arguments
    if not name.startswith("--")
]


@pytest.mark.parametrize(("command", "name"), CASES)
def test_every_command_spares_every_file_that_it_reads(
    command: str, name: str, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is in a folder that the same command wrote, and the command reads it there."""
    from edgepack.cli import cli

    output = inputs / "out"
    write(output, command, name)
    (inputs / name).replace(output / name)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    monkeypatch.chdir(inputs)
    printed: list[str] = []
    monkeypatch.setattr("click.echo", lambda text="", **_: printed.append(str(text)))
    arguments = [each.replace(name, f"out/{name}") for each in CALLS[command]]
    status = cli([command, *arguments, "--output", "out", "--force"], standalone_mode=False)
    message = next(line for line in printed if line.startswith("error: "))
    assert (status, f"contains out/{name}, {OVERLAP}" in message) == (2, True), message
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before


def test_what_another_command_wrote_is_not_replaced(edgepack: Edgepack, inputs: Path) -> None:
    write(inputs / "out", "export", "int8.tflite", "report.json")
    done = edgepack("phone", MODEL, "--output", "out", "--force", cwd=inputs)
    assert (done.returncode, done.stdout) == (2, "")
    assert "edgepack phone, but edgepack export wrote it; choose another --output" in done.stderr
    assert (inputs / "out" / "int8.tflite").read_bytes() == b"precious"


def test_a_command_replaces_what_it_wrote_itself(edgepack: Edgepack, inputs: Path) -> None:
    for name in ("First", "Second"):
        done = edgepack("phone", MODEL, "--name", name, "--output", "out", "--force", cwd=inputs)
        assert done.returncode == 0, done.stderr
    assert json.loads((inputs / "out" / MANIFEST).read_text())["command"] == "phone"
    assert {path.suffix for path in (inputs / "out").iterdir()} == {
        ".json",
        ".kt",
        ".swift",
        ".tflite",
    }
    assert (inputs / "out" / "Second.kt").is_file()
    assert not any(path.name.startswith(".") for path in inputs.iterdir())
