"""Bad input: one clear line, a non-zero exit status, no traceback, nothing half-written."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import Edgepack

from edgepack.cli import cli


def npz(tmp_path: Path, **arrays: Any) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    return path


def assert_refused(done: subprocess.CompletedProcess[str], said: str, status: int = 2) -> None:
    assert done.returncode == status, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.endswith(" s")]  # progress
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert said in lines[0]
    assert done.stdout == ""


@pytest.fixture
def refused(edgepack: Edgepack, models: Path, tmp_path: Path) -> Any:
    """Export with some arguments replaced; check the one line and that nothing was written."""

    def run(said: str, *extra: object, status: int = 2, **replaced: object) -> None:
        arguments = {"model": models / "cnn.h5", "representative": models / "cnn.npz"} | replaced
        done = edgepack(
            *("export", arguments["model"], "--representative", arguments["representative"]),
            *("--output", "out", *extra),
        )
        assert_refused(done, said, status)
        assert list((tmp_path / "cwd").iterdir()) == []

    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("exprt",), "No such command 'exprt'. Did you mean 'export'?"),
        (("--outptu",), "No such option '--outptu'"),
        (("export",), "Missing argument 'MODEL'"),
        (("export", "m", "--outptu", "o"), "No such option '--outptu'"),
        (
            ("compare", "m", "n", "--not-shown", "pases"),
            "Invalid value for '--not-shown': 'pases': did you mean 'passes'? choose one of",
        ),
        (("validate", "m", "--format", "htm"), "'htm': did you mean 'html'? choose one of text"),
    ],
)
def test_errors_of_the_command_line_begin_like_all_others(
    arguments: tuple[str, ...], said: str
) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    usage, hint, _, error = result.stderr.splitlines()
    assert usage.startswith("Usage: ")
    assert error.startswith("error: ")
    assert said in error
    followed = hint.removeprefix("Try '").partition("'")[0].split()[1:]
    assert CliRunner().invoke(cli, followed).exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.h5", None, "gone.h5: no such model file; check the path"),
        ("notes.h5", b"hello", "notes.h5: not a model: give a .keras file"),
        ("empty.keras", b"", "empty.keras: not a model"),
        ("photo.zip", "zip", "photo.zip: a zip file, but not a .keras model"),
        ("calib.npz", "npz", "calib.npz: holds arrays: it is data, not a model; exchange the"),
        ("folder", "folder", "folder: not a SavedModel: the folder has no saved_model.pb"),
        ("cut.h5", "cnn.h5", "cut.h5: cannot be loaded: "),
        ("cut.keras", "cnn3.keras", "cut.keras: cannot be loaded: "),
        ("cut", "cnn_saved_model", "cut: cannot be loaded: "),
    ],
)
def test_a_model_that_is_none(
    refused: Any, models: Path, tmp_path: Path, name: str, content: Any, said: str
) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("photo.png", b"")
    elif content == "npz":
        np.savez(path, x=1)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "cnn_saved_model":
        shutil.copytree(models / content, path)
        (path / "saved_model.pb").write_bytes(b"\x08\x01garbage")
        (path / "keras_metadata.pb").unlink()
    elif content:
        whole = (models / content).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    refused(said, model=path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "weights.h5",
            "holds weights but no model; save the whole model with model.save(), or provide the",
        ),
        ("lambda.h5", "contains a Lambda layer: Python code that would run on loading"),
        ("lambda.keras", "contains a Lambda layer: Python code"),
        ("lambda_saved_model", "contains a Lambda layer: Python code"),
        (
            "writer",
            "the operator WriteFile, which is not allowed: it reads or writes files",
        ),
        ("scalar.h5", "is a scalar for each sample; end the model with Reshape((1,))"),
        ("nan.h5", "holds NaN or infinity; train the model again"),
        ("foreign.keras", "names 'os.system', which is not on edgepack"),
    ],
)
def test_a_model_that_is_not_for_us(refused: Any, models: Path, name: str, said: str) -> None:
    refused(said, model=models / name)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": np.ones((4, 8, 8, 1))}, "data.npz: no array 'x'; it holds images"),
        ({"x": np.array([{}, {}])}, "data.npz: holds pickled objects"),
        ({"x": np.full((4, 8, 8, 1), np.nan)}, "data.npz: 'x' is nan at [0, 0, 0, 0]"),
        ({"x": np.full((4, 8, 8, 1), np.inf)}, "data.npz: 'x' is inf"),
        ({"x": np.ones((0, 8, 8, 1))}, "data.npz: 'x' is empty"),
        ({"x": np.ones((4, 9, 9, 1))}, "takes (samples, 8, 8, 1) float32"),
        ({"x": np.ones((4, 64))}, "'x' has shape (4, 64)"),
        ({"x": np.array(["a"] * 4)}, "provide numbers"),
        (
            {"x": np.ones((4, 8, 8, 1)), "y": np.array(["cat"] * 4)},
            "'y' has dtype <U3; provide class numbers, from 0 in the order of the model's outputs",
        ),
        (
            {"x": np.ones((4, 8, 8, 1)), "y": np.array([True] * 4)},
            "'y' has dtype bool; provide numbers: save y.astype('int64')",
        ),
        ({"x": np.ones((4, 8, 8, 1)), "y": np.arange(3)}, "'y' holds 3 values for 4 samples"),
    ],
)
def test_a_representative_dataset_that_does_not_fit(
    refused: Any, tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    refused(said, representative=npz(tmp_path, **arrays))


def test_a_dataset_that_is_not_there_or_of_another_kind(
    refused: Any, models: Path, tmp_path: Path
) -> None:
    refused("gone.npz: no such dataset", representative=tmp_path / "gone.npz")
    for name, kind in (
        ("cnn.h5", "an HDF5 file, as .h5 models are"),
        ("cnn3.keras", "a .keras model"),
        ("cnn_saved_model", "a SavedModel"),
    ):
        refused(f"{name}: {kind}, not data: save data with", representative=models / name)
    refused("gone.npz: no such dataset", "--test", tmp_path / "gone.npz")


def test_values_that_the_model_cannot_take(refused: Any, models: Path, tmp_path: Path) -> None:
    refused(
        "the float model computes NaN or infinity in 'Identity'",
        model=models / "logit.h5",
        representative=npz(tmp_path, x=np.full((4, 6), 3e38)),
    )
    tokens = tmp_path / "tokens.npz"
    np.savez(tokens, x=np.full((4, 5), 99))
    refused(
        "Keras cannot run the model on (4, 5) int32: indices[0,0] = 99 is not in [0, 20)",
        model=models / "tokens.h5",
        representative=tokens,
    )


def test_names_that_no_file_can_have(edgepack: Edgepack, models: Path) -> None:
    name = "x" * 300
    data = models / "cnn.npz"
    done = edgepack("export", name, "--representative", data, "--output", "out")
    assert_refused(done, "cannot be read: File name too long")
    done = edgepack("export", models / "cnn.h5", "--representative", data, "--output", name)
    assert_refused(
        done, "cannot be written: File name too long; check the path and its permissions"
    )


def test_a_full_standard_output_is_told_and_the_folder_stays(models: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgepack", "export", models / "cnn.h5"]
    command += ["--representative", models / "cnn.npz", "--output", tmp_path / "out"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: standard output cannot be written")
    assert (tmp_path / "out" / "report.json").is_file()


@pytest.mark.parametrize("options", [(), ("--checks",)])
def test_a_list_that_cannot_be_written_is_an_error(options: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "edgepack", "targets", *options]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output cannot be written")


def test_labels_that_the_model_does_not_know(refused: Any, tmp_path: Path) -> None:
    data = npz(tmp_path, x=np.ones((4, 8, 8, 1)), y=np.arange(4))
    refused("the model's classes are 0 to 2", "--test", data)


def test_options_that_make_no_sense(refused: Any, models: Path) -> None:
    data = models / "cnn.npz"
    refused("unknown target 'rp2400': did you mean 'rp2040'?", "--target", "rp2400")
    refused(
        "unknown metric 'acuracy': did you mean 'accuracy'? known metrics",
        "--test",
        data,
        "--metric",
        "acuracy",
    )
    refused("metric 'accuracy' needs samples to measure: give --test", "--metric", "accuracy")
    refused("--epochs needs data to fine-tune on: give --train", "--epochs", 3)
    refused("sparsity 1.5: must lie between 0 and 1", "--train", data, "--sparsity", 1.5)
    refused("epochs 0: fine-tuning needs at least 1", "--train", data, "--epochs", 0)
    refused("patience 0: wait at least 1 epoch", "--train", data, "--patience", 0)
    refused("--end-step needs data to fine-tune on", "--end-step", 5)
    split = ("--train", data, "--validation-split", 0.2)
    refused("--validation-split holds out samples for --patience", *split)


def test_models_that_cannot_be_pruned(refused: Any, models: Path) -> None:
    vector = models / "vector.npz"
    refused(
        "the model has no layer that TFMOT can prune, so there is nothing to prune",
        *("--train", vector, "--metric", "reconstruction-mse"),
        model=models / "unprunable.h5",
        representative=vector,
    )
    refused(
        "fine-tuning needs labels in 'y'",
        *("--train", vector),
        model=models / "autoencoder.h5",
        representative=vector,
    )


def test_an_output_that_exists_stays(edgepack: Edgepack, models: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    arguments = ["export", models / "cnn.h5", "--representative", models / "cnn.npz"]
    arguments += ["--output", tmp_path / "out"]
    assert_refused(edgepack(*arguments), "out: exists; replace it with --force")
    (tmp_path / "out" / "mine").write_text("mine")
    assert_refused(edgepack(*arguments, "--force"), "replaces only a folder that edgepack wrote")
    assert (tmp_path / "out" / "mine").read_text() == "mine"


def test_an_output_that_cannot_be_written(edgepack: Edgepack, models: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = edgepack(
        "export", models / "cnn.h5", "--representative", models / "cnn.npz",
        *("--output", tmp_path / "file" / "out"),
    )  # fmt: skip
    assert_refused(done, "/file: exists and is not a folder; choose another --output")


@pytest.mark.parametrize("limit_bytes", [1_000, 5_000, 12_000])
def test_files_that_cannot_grow_leave_nothing(
    edgepack: Edgepack, models: Path, tmp_path: Path, limit_bytes: int
) -> None:
    """Every write fails past a limit: of the data, of the models, of the C array."""
    done = edgepack(
        "export", models / "cnn.h5", "--representative", models / "cnn.npz",
        *("--output", tmp_path / "cwd" / "out"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )  # fmt: skip
    assert_refused(done, "out: cannot be written: ")
    assert list((tmp_path / "cwd").iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing(models: Path, tmp_path: Path) -> None:
    """A disk of 24 KiB, mounted for this process alone."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare not found: no disk can be mounted for the test alone")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [sys.executable, "-m", "edgepack", "export", models / "cnn.h5"]
    command += ["--representative", models / "cnn.npz", "--output", disk / "out"]
    quoted = " ".join(f"'{part}'" for part in command)
    script = (
        f"mount -t tmpfs -o size=24k none '{disk}' || exit 77;"
        f" {quoted}; status=$?; ls -A '{disk}'; exit $status"
    )
    as_root = [] if os.getuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *as_root, "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (1, 77) and "error:" not in done.stderr:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    assert_refused(done, "No space left on device")
    assert "disk/out: cannot be written: " in done.stderr
