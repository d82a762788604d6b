"""Objects, streams and users' functions are read as datasets, or refused in one line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from data_folder import PAIR, TWO, DataFolder

from edgepack.calibration.datasets.sources import find_source
from edgepack.compression.pruning.settings import Prune
from edgepack.config.compression_step import FineTune
from edgepack.config.export import ExportConfig
from edgepack.storage.provenance import describe_inputs


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def test_arrays_dicts_and_pairs_are_read_as_they_are(folder: DataFolder) -> None:
    x, y = np.ones((4, 2)), np.arange(4)
    assert folder.read(x, PAIR).labels == {}
    assert folder.read((x, y), PAIR).labels["scores"].tolist() == [0, 1, 2, 3]
    both = folder.read(({"left": x, "right": x[:, :1]}, y), TWO)
    assert list(both.inputs) == ["left", "right"]
    assert len(folder.read([x[0], x[1]], PAIR)) == 2
    folder.assert_refused(
        "no array 'left'; it holds x; provide an array for each input: dict", x, TWO
    )
    folder.assert_refused("int: data of type int are not supported; provide arrays", 3, PAIR)


def samples(count: int, **more: Any) -> Iterator[Any]:
    for index in range(count):
        yield {"x": np.full(2, index), "y": index} | more


@pytest.mark.parametrize(
    "stream",
    [
        lambda: samples(4),
        lambda: ((np.full(2, i), i) for i in range(4)),
        lambda: ((np.full((2, 2), i), [i, i]) for i in (0, 1)),
        lambda: ([np.full((1, 2), i)] for i in range(4)),
        lambda: (np.full(2, i).tolist() for i in range(4)),
    ],
)
def test_a_stream_yields_samples_or_batches(folder: DataFolder, stream: Any) -> None:
    dataset = folder.read(stream(), PAIR)
    assert dataset.inputs["x"].shape == (4, 2)
    assert dataset.inputs["x"].dtype == np.float32
    if dataset.labels:
        assert dataset.inputs["x"][:, 0].tolist() == dataset.labels["scores"].tolist()


def test_the_first_samples_of_a_stream_are_read(folder: DataFolder) -> None:
    endless = (np.full((3, 2), i) for i in itertools.count())
    assert folder.read(endless, PAIR, "", 4).inputs["x"][:, 0].tolist() == [0, 0, 0, 1]
    notes = folder.store(samples(4), PAIR, "", 2).notes
    assert notes == ("generator: the first 2 samples of the stream are used; shuffle it if sorted",)
    folder.assert_refused("ends after 3 samples, but 4 were requested", samples(3), PAIR, "", 4)


def with_a_masked_value(count: int) -> Any:
    return np.ma.masked_equal(np.arange(count * 2).reshape(count, 2), 3)


@pytest.mark.parametrize(
    "data",
    [
        lambda masked: masked,
        lambda masked: {"x": masked},
        lambda masked: {"x": [*masked]},
        lambda masked: (masked, np.arange(4)),
        lambda masked: (masked.data, masked[:, 1]),
        lambda masked: (each for each in masked),
        lambda masked: [*masked],
        lambda masked: ((each, 0) for each in masked),
        lambda masked: ([each] for each in masked),
    ],
)
def test_masked_values_are_no_samples(folder: DataFolder, data: Any) -> None:
    masked = with_a_masked_value(4)
    folder.assert_refused("has masked values", data(masked), PAIR)
    filled = folder.read(data(np.ma.array(masked.filled(7))), PAIR)
    assert len(filled) == 4


class Batches:
    """The interface of a Keras Sequence: a length, and batches."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        if index >= self.batches:
            raise RuntimeError("no more\nbatches")
        return np.full((2, 2), index), np.full(2, index)


def test_a_sequence_yields_as_many_batches_as_its_length(folder: DataFolder) -> None:
    assert folder.read(Batches(3), PAIR).labels["scores"].tolist() == [0, 0, 1, 1, 2, 2]
    folder.assert_refused("Batches: raised RuntimeError: no more", Batches(2), PAIR)


def broken() -> Iterator[Any]:
    yield np.ones(2)
    raise KeyError("gone")


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (lambda: samples(0), "generator: yields no samples"),
        (broken, "generator: raised KeyError: 'gone'"),
        (
            lambda: iter([np.ones(2), np.ones(3)]),
            r"sample 0 has shape \(2,\), but sample 1 has shape \(3,\); make all samples the same",
        ),
        (
            lambda: iter([{"x": np.ones(2), "y": 1}, {"x": np.ones(2)}]),
            "sample 1 has no 'y', unlike",
        ),
        (lambda: iter([np.ones(3)]), r"'x' has shape \(samples, 3\)"),
        (
            lambda: iter([(np.ones((3, 2)), 1)]),
            "starts at sample 0 has 3 rows of 'x', but 'y' has shape",
        ),
        (lambda: iter([np.array([1, np.nan])]), r"'x' is nan at \[0, 1\]"),
        (lambda: iter(["hello"]), "'x' has dtype <U5; provide numbers"),
        (lambda: iter([(np.ones(2), 1), (np.ones(2), 1.5)]), "'y' changes its dtype at sample 1"),
        (lambda: iter([(1, 2, 3, 4)]), r"yields a tuple of 4 elements; provide x or \(x, y\)"),
    ],
)
def test_a_stream_that_fails_is_reported_in_one_line(
    folder: DataFolder, stream: Any, message: str
) -> None:
    folder.assert_refused(message, stream(), PAIR)


def test_a_function_is_called(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"data_of_{folder.path.name}"[:40].rstrip("0123456789")
    folder.text(
        f"{name}.py",
        "import numpy as np\n"
        "def samples():\n    return (np.full(2, i) for i in range(3))\n"
        "def nothing():\n    pass\n"
        "def broken():\n    raise ValueError('no disk\\nat all')\n"
        "def bare():\n    raise RuntimeError\n"
        "def exits():\n    yield np.ones(2)\n    raise SystemExit(3)\n",
    )
    folder.text(f"{name}_exits.py", "raise SystemExit(3)")
    monkeypatch.chdir(folder.path)
    assert find_source(f"{name}:samples").is_isolated
    assert len(folder.read(f"{name}:samples", PAIR)) == 3
    folder.assert_refused(
        f"{name}:nothing: data of type NoneType are not supported; provide arrays",
        f"{name}:nothing",
        PAIR,
    )
    folder.assert_refused(f"{name}:broken: raised ValueError: no disk", f"{name}:broken", PAIR)
    folder.assert_refused(f"{name}:bare: raised RuntimeError$", f"{name}:bare", PAIR)
    folder.assert_refused(rf"{name}:exits: called sys.exit\(3\)", f"{name}:exits", PAIR)
    message = rf"{name}_exits cannot be imported: it called sys.exit\(3\)"
    folder.assert_refused(message, f"{name}_exits:f", PAIR)
    folder.assert_refused(f"{name}:gone: {name} has no function gone", f"{name}:gone", PAIR)
    folder.assert_refused("no_such:f: no_such cannot be imported: No module", "no_such:f", PAIR)


def test_objects_are_described_by_their_type() -> None:
    settings = ExportConfig(
        model=ROOT / "README.md",
        representative=(x for x in ()),
        test="mine:data",
        output=Path("out"),
        train={"x": np.ones(2)},
        compress=(Prune(fine_tune=FineTune()),),
    )
    described = describe_inputs(settings, {})
    assert described["representative"] == {"object": "generator"}
    assert described["test"] == {"function": "mine:data"}
    assert described["train"] == {"object": "dict"}
