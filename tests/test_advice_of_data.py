"""Data that are refused are read once the advice of the message is followed."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_folder import (
    PAIR,
    TWO,
    DataFolder,
    model,
    spec,
)
from test_dataset import TWO as TWO_OUTPUTS
from test_dataset import parts
from tiny import Value, one_operator

from edgepack.calibration.lint.preprocessing_mistakes import MISTAKES, Mistake
from edgepack.core.errors import DatasetError, ModelError
from edgepack.core.file_contents import EXCHANGED
from edgepack.load.formats import Format, detect_format
from edgepack.pipeline.validation.read_inputs import read_file

X = np.random.default_rng(0).normal(size=(4, 2))
TOKENS, CHANNELS = model(spec("t", 5, dtype="int32")), model(spec("c", 8, 8, 3))


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def npz(**arrays: Any) -> Callable[[DataFolder], Path]:
    def write(folder: DataFolder) -> Path:
        np.savez(folder.path / "d.npz", **arrays)
        return folder.path / "d.npz"

    return write


def npy(array: Any) -> Callable[[DataFolder], Path]:
    def write(folder: DataFolder) -> Path:
        np.save(folder.path / "d.npy", array)
        return folder.path / "d.npy"

    return write


def csv(text: str, encoding: str = "utf-8") -> Callable[[DataFolder], Path]:
    def write(folder: DataFolder) -> Path:
        (folder.path / "d.csv").write_bytes(text.encode(encoding))
        return folder.path / "d.csv"

    return write


def stream(make: Callable[[], Any]) -> Callable[[DataFolder], Any]:
    return lambda _: make()


def rows(count: int) -> Iterator[Any]:
    return (X[0] for _ in range(count))


@pytest.mark.parametrize(
    ("bad", "advice", "good", "signature"),
    [
        (npz(x=X[:, :0]), "is empty, shape (4, 0); provide at least one sample", npz(x=X), PAIR),
        (csv("a,b\n"), "'x' is empty; provide at least one sample", csv("a,b\n1,2\n"), PAIR),
        (
            npz(x=np.ones((4, 8, 8))),
            "add the last axis with x[..., np.newaxis]",
            npz(x=np.ones((4, 8, 8))[..., np.newaxis]),
            model(spec("i", 8, 8, 1)),
        ),
        (
            npz(x=np.ones((4, 3, 8, 8))),
            "move the channels last with np.moveaxis(x, 1, -1)",
            npz(x=np.moveaxis(np.ones((4, 3, 8, 8)), 1, -1)),
            CHANNELS,
        ),
        (npz(x=X.ravel()), "provide one sample per row", npz(x=X), PAIR),
        (
            npz(x=X, y=np.array([True] * 4)),
            "provide numbers: save y.astype('int64')",
            npz(x=X, y=np.array([True] * 4).astype("int64")),
            PAIR,
        ),
        (npz(x=X.astype(str)), "provide numbers (float or integer)", npz(x=X), PAIR),
        (
            npz(x=X, y=["a", "b", "a", "b"]),
            "provide class numbers, from 0 in the order of the model's outputs, or target values",
            npz(x=X, y=[0, 1, 0, 1]),
            PAIR,
        ),
        (
            npz(x=[[0.0, 1], [np.nan, 2]]),
            "remove or repair those samples",
            npz(x=[[0.0, 1]]),
            PAIR,
        ),
        (
            npz(x=np.full((4, 2), 3, np.int8)),
            "convert it back to real values with (x - zero_point) * scale",
            npz(x=(np.full((4, 2), 3, np.int8) - 1) * 0.5),
            PAIR,
        ),
        (npz(x=np.full((4, 2), 1e300)), "rescale them", npz(x=np.full((4, 2), 1e30)), PAIR),
        (npz(x=np.ones((4, 5))), "provide integers in its range", npz(x=[[1] * 5]), TOKENS),
        (
            npz(left=X, right=X[:, :1], y=[0] * 4),
            "the model's outputs are scores, value: name the arrays after them",
            npz(left=X, right=X[:, :1], scores=[0] * 4),
            TWO_OUTPUTS,
        ),
        *(
            (
                npz(x=X, y=[0] * 4),
                "save labels of the shape of each part (head_0=..., head_1=...), or leave them out",
                good,
                parts((1,), (2,)),
            )
            for good in (npz(x=X, head_0=X[:, :1], head_1=X), npz(x=X))
        ),
        (
            npz(left=X, right=X[:3, :1]),
            "provide the same samples in all arrays",
            npz(left=X, right=X[:, :1]),
            TWO,
        ),
        (npz(x=X, y=[0] * 3), "provide one per sample", npz(x=X, y=[0] * 4), PAIR),
        (npz(x=1.5), "provide one value per sample", npz(x=X), PAIR),
        (
            npz(x=np.array([[1], [1, 2]], object)),
            "save plain arrays of numbers, all samples of the same shape",
            npz(x=X),
            PAIR,
        ),
        (
            npz(x=X),
            "save it with np.savez(file, left=..., right=...)",
            npz(left=X, right=X[:, :1]),
            TWO,
        ),
        (
            npy(X),
            "save an .npz with np.savez(file, left=..., right=...)",
            npz(left=X, right=X[:, :1]),
            TWO,
        ),
        (
            csv("a,b\n1,2\n"),
            "save an .npz with np.savez(file, left=..., right=...)",
            npz(left=X, right=X[:, :1]),
            TWO,
        ),
        (csv(""), "provide a header row and rows of numbers", csv("a,b\n1,2\n"), PAIR),
        (
            csv("caf\N{LATIN SMALL LETTER E WITH ACUTE},b\n1,2\n", "latin-1"),
            "not UTF-8; save it with that encoding",
            csv("caf\N{LATIN SMALL LETTER E WITH ACUTE},b\n1,2\n"),
            PAIR,
        ),
        (csv("a;b\n1;2\n"), "separate the columns by commas", csv("a,b\n1,2\n"), PAIR),
        (
            csv("a,b\n1,red\n"),
            "remove the column, or convert it to numbers",
            csv("a,b\n1,0\n"),
            PAIR,
        ),
        (
            stream(lambda: X),
            "provide an array for each input: dict(left=..., right=...)",
            stream(lambda: {"left": X, "right": X[:, :1]}),
            TWO,
        ),
        *(
            (stream(lambda: 3), "provide arrays, a dict of arrays, (x, y), a", stream(made), PAIR)
            for made in (
                *(lambda: X, lambda: {"x": X}, lambda: (X, [0] * 4), lambda: rows(3)),
                lambda: [X[0], X[1]],
            )
        ),
        (
            stream(lambda: iter([(1, 2, 3, 4)])),
            "provide x or (x, y)",
            stream(lambda: iter([(X[0], 1)])),
            PAIR,
        ),
        (
            stream(lambda: iter([np.ones(2), np.ones(3)])),
            "make all samples the same shape",
            stream(lambda: iter([np.ones(2), np.ones(2)])),
            PAIR,
        ),
    ],
)
def test_data_are_read_as_advised(
    folder: DataFolder,
    bad: Callable[[DataFolder], Any],
    advice: str,
    good: Callable[[DataFolder], Any],
    signature: Any,
) -> None:
    with pytest.raises(DatasetError, match=re.escape(advice)):
        folder.read(bad(folder), signature)
    assert len(folder.read(good(folder), signature)) > 0


def test_a_row_that_is_too_large_is_read_by_samples(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgepack.calibration.datasets.sources.columns.MAX_ROW_BYTES", 20)
    folder.assert_refused("provide one sample per row", npz(x=X.reshape(1, 8))(folder), PAIR)
    assert len(folder.read(npz(x=X)(folder), PAIR)) == 4


def test_a_stream_has_as_many_samples_as_requested(folder: DataFolder) -> None:
    folder.assert_refused("provide more, or reduce --samples", rows(3), PAIR, "", 4)
    assert len(folder.read(rows(4), PAIR, "", 4)) == len(folder.read(rows(9), PAIR, "", 4)) == 4
    assert len(folder.read(rows(3), PAIR, "", 3)) == 3


def test_files_that_are_not_there_or_of_no_known_kind_are_read_as_advised(
    folder: DataFolder,
) -> None:
    folder.assert_refused("no such dataset; check the path", folder.path / "e.npz", PAIR)
    folder.text("d.npz", "hello")
    advice = r"save it with np.savez\(file, x=inputs, y=labels\)"
    folder.assert_refused(advice, folder.path / "d.npz", PAIR)
    assert len(folder.read(npz(x=X, y=[0] * 4)(folder), PAIR)) == 4


def test_a_model_and_data_that_were_swapped_are_exchanged_as_advised(folder: DataFolder) -> None:
    data, path = npz(x=X)(folder), folder.path / "m.tflite"
    path.write_bytes(one_operator("RELU", [Value((1, 4))], [Value((1, 4))]))
    folder.assert_refused(f"a .tflite model, not data: .*{EXCHANGED}", path, PAIR)
    for read in (detect_format, read_file):
        with pytest.raises(ModelError, match=f"holds arrays: it is data, .*{EXCHANGED}"):
            read(data)
    assert len(folder.read(data, PAIR)) == 4
    assert detect_format(path) is Format.TFLITE
    assert read_file(path).model.main.operators


def test_a_column_is_removed_or_converted(folder: DataFolder) -> None:
    advice = "remove the column, or convert it to numbers"
    folder.assert_refused(advice, csv("a,b,c\n1,2,red\n")(folder), PAIR, "[data]\nlabel = 'c'")
    folder.read(csv("a,b,c\n1,2,0\n")(folder), PAIR, "[data]\nlabel = 'c'")
    folder.read(csv("a,b\n1,2\n")(folder), PAIR)


def test_an_array_that_is_none_is_saved_as_numbers(folder: DataFolder) -> None:
    (folder.path / "d").mkdir()
    with zipfile.ZipFile(folder.path / "d.npz", "w") as archive:
        archive.writestr("x", "hello")
    folder.assert_refused("not an array of numbers; provide numbers", folder.path / "d.npz", PAIR)
    folder.read(npz(x=X)(folder), PAIR)


BYTES = np.random.default_rng(0).integers(0, 255, (6, 4, 4, 3)).astype(np.float64)
UNIT = BYTES / 255
BGR_MEAN, RGB_MEAN, RGB_DEVIATION = (
    *((103.939, 116.779, 123.68), (0.485, 0.456, 0.406)),
    (0.229, 0.224, 0.225),
)
"""Of keras.applications.imagenet_utils."""

FOLLOWED = {
    "multiply {name} by 255": (UNIT, BYTES),
    "divide {name} by 255": (BYTES, UNIT),
    "divide {name} by its largest value": (BYTES, BYTES / BYTES.max()),
    "scale {name} from 0..255 to -1..1": (BYTES, BYTES / 127.5 - 1),
    "scale {name} from -1..1 to 0..255": (2 * UNIT - 1, BYTES),
    "scale {name} from 0..1 to -1..1": (UNIT, 2 * UNIT - 1),
    "scale {name} from -1..1 to 0..1": (2 * UNIT - 1, UNIT),
    "subtract 128 from {name}": (BYTES, BYTES - 128),
    "add 128 to {name}": (BYTES - 128, BYTES),
    "reverse the channels of {name}": (BYTES, BYTES[..., ::-1]),
    "prepare {name} as keras.applications does in its mode 'caffe'": (
        *(BYTES, BYTES[..., ::-1] - BGR_MEAN),
    ),
    "prepare {name} as keras.applications does in its mode 'torch'": (
        *(BYTES, (BYTES / 255 - RGB_MEAN) / RGB_DEVIATION),
    ),
    "standardize {name}: subtract each channel's mean, divide by": (
        *(BYTES, (BYTES - BYTES.mean((0, 1, 2))) / BYTES.std((0, 1, 2))),
    ),
}
"""What the data are when this is advised, and what they become."""


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.cure)
def test_what_the_linter_tries_is_what_it_advises(mistake: Mistake) -> None:
    ((given, made),) = (both for cure, both in FOLLOWED.items() if mistake.cure.startswith(cure))
    assert mistake.fits(given)
    np.testing.assert_allclose(mistake.undo(given), made, atol=1e-12)
