"""Files are recognized by content, read as streams, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Edgepack, python
from data_folder import IMAGE, PAIR, TWO, DataFolder, model, spec

from edgepack.calibration.datasets.sources.tfrecord import _require_whole
from edgepack.core.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def test_a_dataset_is_stored_in_files_that_numpy_maps(folder: DataFolder) -> None:
    x = np.random.default_rng(0).normal(size=(5000, 300))
    np.savez(
        folder.path / "d.npz", x=np.asfortranarray(x), y=np.arange(5000), other=np.array(["a"])
    )
    read = folder.read(folder.path / "d.npz", model(spec("v", 300)))
    assert isinstance(read.inputs["v"], np.memmap)
    assert read.files == {"v": str(folder.path / "spool" / "data-0.npy")}
    np.testing.assert_array_equal(np.load(read.files["v"]), x.astype(np.float32))
    np.testing.assert_array_equal(read.labels["scores"], np.arange(5000))


def test_an_npy_is_the_single_input(folder: DataFolder) -> None:
    np.save(folder.path / "data", np.ones((3, 2)))
    assert len(folder.read(folder.path / "data.npy", PAIR)) == 3
    folder.assert_refused(
        "no array 'left'; it holds x; an .npy holds one", folder.path / "data.npy", TWO
    )
    whole = (folder.path / "data.npy").read_bytes()
    (folder.path / "cut.npy").write_bytes(whole[:-1])
    folder.assert_refused("cut.npy: damaged: the array, of shape", folder.path / "cut.npy", PAIR)


def test_the_columns_of_a_table_are_read_in_order(folder: DataFolder) -> None:
    table = folder.text("d.csv", "a,species,b\n1,2,3.5\n\n4,0,6\n")
    dataset = folder.read(table, PAIR, "[data]\nlabel = 'species'")
    assert dataset.inputs["x"].tolist() == [[1, 3.5], [4, 6]]
    assert dataset.labels["scores"].tolist() == [2, 0]
    pixels = folder.text("noname", "y,p,q\n1,2,3\n")
    dataset = folder.read(pixels, model(spec("image", 2, 1, dtype="int32")))
    assert dataset.inputs["image"].tolist() == [[[2], [3]]]
    assert dataset.labels["scores"].tolist() == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,red\n", "column 'b' is not a number in row 2 after the header: 'red'"),
        ("a,b\n1,\n", "column 'b' is not a number in row 1 after the header: ''"),
        ("a,b\n1,2\n3\n", "row 2 after the header has 1 column, but the header has 2"),
        ("1,2\n3,4\n", "the first row must name the columns"),
        ("a;b\n1;2\n", "separate the columns by commas"),
        ("a,b\n", "'x' is empty"),
        ("a,b\n1,nan\n", r"'x' is nan at \[0, 1\]"),
        ("a,b,c,d\n1,2,3,4\n", r"'x' has shape \(samples, 4\)"),
        ("a,b,c\n1,2,3\n", "name the label column with .*--config.*; the columns are a, b, c"),
        ("", "d.csv: is empty; provide a header row"),
        ("a,\N{LATIN SMALL LETTER E WITH ACUTE}\n1,2\n", "d.csv: not UTF-8; save it"),
        ("a,b\n" + "1,2\n" * 2000 + "\N{DEGREE SIGN}", "d.csv: not UTF-8; save it"),
    ],
)
def test_an_invalid_table_is_refused(folder: DataFolder, text: str, message: str) -> None:
    folder.text("d.csv", "").write_bytes(text.encode("latin-1"))
    folder.assert_refused(message, folder.path / "d.csv", PAIR)


def test_a_table_must_be_the_single_input_and_have_the_label_column(folder: DataFolder) -> None:
    table = folder.text("d.csv", "a,b\n1,2\n")
    folder.assert_refused("no array 'left'; it holds x; a CSV is one input", table, TWO)
    message = "no column 'c' for the labels; its columns are a, b"
    folder.assert_refused(message, table, PAIR, "[data]\nlabel = 'c'")


def test_the_project_file_names_the_array_of_the_labels(folder: DataFolder) -> None:
    path, settings = folder.path / "d.npz", "[data]\nlabel = 'kinds'"
    np.savez(path, x=np.ones((2, 2)), y=[0, 0], kinds=[1, 2])
    assert folder.read(path, PAIR, settings).labels["scores"].tolist() == [1, 2]
    message = "d.npz: no array 'kind' for the labels; its arrays are x, y, kinds"
    folder.assert_refused(message, path, PAIR, "[data]\nlabel = 'kind'")
    two = model(spec("x", 2), outputs=("a", "b"))
    folder.assert_refused("'kinds' does not identify an output", path, two, settings)
    folder.image("data/cat/a.png")
    data = folder.path / "data"
    folder.assert_refused(
        "data: the subfolders are the classes; remove label", data, IMAGE, settings
    )


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_samples_of_files_are_stratified_by_label(folder: DataFolder, kind: str) -> None:
    path = folder.path / f"d.{kind}"
    labels = np.arange(3000) % 3
    if kind == "npz":
        np.savez(path, x=np.stack([np.arange(3000)] * 2, 1), y=labels)
    else:
        rows = (f"{i},{i},{label}" for i, label in enumerate(labels))
        path.write_text("\n".join(["a,b,y", *rows]))
    dataset = folder.read(path, PAIR, "", 300)
    assert np.bincount(dataset.labels["scores"].astype(int)).tolist() == [100, 100, 100]
    assert (dataset.inputs["x"][:, 0] % 3 == dataset.labels["scores"]).all()
    notes = folder.store(path, PAIR, "", 4000).notes
    assert notes == (f"{path}: 4000 samples were requested, but it has 3000: all are used",)


def test_a_record_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    with path.open("wb") as file:
        file.write((1 << 30).to_bytes(8, "little") + bytes(4))
        file.truncate(16 + (1 << 30))  # a sparse file, which uses no space
    with pytest.raises(DatasetError, match="a record takes 1,024 MiB, more than 256 MiB"):
        _require_whole(path)


def test_tensorflow_data_are_read(data_check: dict[str, Any]) -> None:
    reading = data_check["reading"]
    four = [[0, 2, 4, 6], [0, 1, 2, 3]]
    for kind in ("tf.data", "tf.data in batches", "tf.data by name"):
        assert reading[kind] == four, kind
    assert reading["tf.data, endless, first"] == [[0, 2, 4, 6, 0], [0, 1, 2, 3, 0]]
    assert reading["Sequence"] == [[0, 0, 1, 1, 2, 2]] * 2
    assert reading["records"] == [[0, 1, 2, 3]] * 2
    assert reading["records, compressed"] == [[0, 1, 2, 3], None]
    assert len(reading["records, two"][0]) == 2
    assert reading["records of images"] == [[9, 0], [1, 1]]
    assert reading["is isolated"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("tf.data, endless", "is endless; set the number of samples with --samples"),
        ("tf.data that ends", "ends after 4 samples, but 5 were requested"),
        ("tf.data without samples", "_TakeDataset: yields no samples"),
        ("records, cut", "cut: damaged: a record is truncated or corrupt; write the file again"),
        ("records, cut in a head", "cut in a head: damaged: a record is truncated or corrupt"),
        ("records, cut, zipped", "cut, zipped: damaged: a record is truncated or corrupt"),
        ("records, label missing", "record 0 has shape (2,), but record 4 has shape (1,)"),
        ("records, one without label", "record 4 has no feature 'label', unlike other records"),
        ("records, no such label", "no feature 'kind' for the labels; its features are image"),
        ("records without the input", "no array 'x'; it holds x1; write a feature for each input"),
        ("no records", "empty: not an .npz, .npy, .csv or TFRecord file, or a damaged one"),
    ],
)
def test_invalid_tensorflow_data_are_refused(
    data_check: dict[str, Any], kind: str, message: str
) -> None:
    assert message in data_check["reading"][kind]


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from data_folder import DataFolder, model, spec
kind, count, folder = sys.argv[1], int(sys.argv[2]), DataFolder(Path(sys.argv[3]))
def samples():
    for index in range(count):
        yield np.full((64, 64, 3), index, np.float32)
if kind == "npz":
    data = folder.path / f"{count}.npz"
else:
    data = samples()
dataset = folder.read(data, model(spec("image", 64, 64, 3)))
assert len(dataset) == count
status = Path("/proc/self/status").read_text()  # ru_maxrss may be that of the parent process
print(re.findall(r"VmHWM:\\s+(\\d+) kB", status)[0])
"""


@pytest.mark.parametrize("kind", ["npz", "stream"])
def test_ten_times_the_samples_take_no_more_memory(tmp_path: Path, kind: str) -> None:
    peaks = []
    for count in (1000, 10_000):
        if kind == "npz":
            images = np.zeros((count, 64, 64, 3), np.uint8)
            np.savez_compressed(tmp_path / f"{count}.npz", x=images)
        done = python("-c", PEAK, kind, count, tmp_path, cwd=ROOT / "tests")
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert peaks[1] <= peaks[0] * 1.05


def test_an_export_reads_folders_and_functions(
    edgepack: Edgepack, models: Path, folder: DataFolder
) -> None:
    for index in range(12):
        folder.image(f"photos/{'abc'[index % 3]}/{index}.png", (10 + index, 12))
    folder.text("edgepack.toml", "[preprocessing]\nresize = [8, 8]\nscale = 0.00392")
    folder.text(
        "cwd/own_data.py",
        "import numpy as np\n"
        "def test():\n    return np.full((6, 9, 8, 3), 100, np.uint8), np.arange(6) % 3\n"
        "def broken():\n    yield np.zeros((8, 8, 1))\n    raise OSError('the disk is gone')\n",
    )
    arguments = ("export", models / "cnn.h5", "--representative", folder.path / "photos")
    arguments += ("--config", folder.path / "edgepack.toml", "--output", "out")
    arguments += ("--samples", 6, "--target", "nano-33-ble-sense")
    done = edgepack(*arguments, "--test", "own_data:broken")
    assert done.returncode == 2, done.stderr
    message = "error: own_data:broken: raised OSError: the disk is gone"
    assert done.stderr.splitlines()[-1] == message
    folder.text("edgepack.toml", "[preprocessing]\nresize = [8, 8]\ncolors = 'gray'")
    done = edgepack(*arguments, "--test", "own_data:test")
    assert done.returncode == 0, done.stderr
    report = json.loads((folder.path / "cwd" / "out" / "report.json").read_text())
    assert report["comparison"]["samples"] == 6
    manifest = json.loads((folder.path / "cwd" / "out" / "manifest.json").read_text())
    settings = manifest["recipe"]
    assert settings["test"] == {"function": "own_data:test"}
    assert (settings["samples"], settings["seed"]) == (6, 0)
    assert settings["recipe_file"]["name"] == "edgepack.toml"
    assert settings["representative"]["name"] == "photos"
