"""A dataset is checked before it is used."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgepack.calibration.datasets.read import read_dataset
from edgepack.calibration.datasets.sources.source import Context
from edgepack.config.project_file import ProjectFile
from edgepack.core.errors import DatasetError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.storage.dataset import Dataset

IMAGE = TensorSpec(name="image", shape=(8, 8, 1), dtype="float32")
TOKENS = TensorSpec(name="tokens", shape=(5,), dtype="int32")


def saved(tmp_path: Path, **arrays: Any) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    return path


def signature(*inputs: TensorSpec, outputs: tuple[TensorSpec, ...] = ()) -> Signature:
    scores = TensorSpec(name="scores", shape=(3,), dtype="float32")
    return Signature(inputs=inputs, outputs=outputs or (scores,))


def vectors(*shape: int) -> Signature:
    return signature(TensorSpec(name="vector", shape=shape, dtype="float32"))


def load(path: Path, signature: Signature) -> Dataset:
    context = Context(signature=signature, project_file=ProjectFile())
    return read_dataset(path, context, path.with_name("spool")).dataset()


@pytest.fixture
def dataset(tmp_path: Path) -> Any:
    return lambda x, spec: load(saved(tmp_path, x=x), signature(spec))


def test_inputs_and_labels_are_read(tmp_path: Path) -> None:
    x, y = np.ones((3, 2), np.float32), np.arange(3)
    loaded = load(saved(tmp_path, x=x, y=y), vectors(2))
    np.testing.assert_array_equal(loaded.inputs["vector"], x)
    np.testing.assert_array_equal(loaded.labels["scores"], y)
    assert len(loaded) == 3


TWO = signature(
    TensorSpec(name="left", shape=(2,), dtype="float32"),
    TensorSpec(name="right", shape=(1,), dtype="float32"),
    outputs=(
        TensorSpec(name="scores", shape=(3,), dtype="float32"),
        TensorSpec(name="value", shape=(1,), dtype="float32"),
    ),
)


def test_several_inputs_and_outputs_are_matched_by_name(tmp_path: Path) -> None:
    arrays = {"right": np.ones((3, 1)), "left": np.zeros((3, 2)), "value": np.arange(3)}
    loaded = load(saved(tmp_path, **arrays), TWO)
    assert list(loaded.inputs) == ["left", "right"]
    assert loaded.inputs["right"].dtype == np.float32
    assert list(loaded.labels) == ["value"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x": np.ones((3, 2))},
            r"no array 'left'; it holds x; save it with np.savez\(file, left=..., right=...\)",
        ),
        (
            {"left": np.ones((3, 2)), "right": np.ones((2, 1))},
            "'right' holds 2 samples, but 'left' holds 3; provide the same samples in all",
        ),
        (
            {"left": np.ones((3, 2)), "right": np.ones((3, 1)), "y": np.arange(3)},
            "'y' does not identify an output; the model's outputs are scores, value",
        ),
        (
            {"left": np.ones((3, 2)), "right": np.ones((3, 1)), "value": np.arange(2)},
            "'value' holds 2 values for 3 samples",
        ),
    ],
)
def test_arrays_that_do_not_match_the_model_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        load(saved(tmp_path, **arrays), TWO)


def parts(*shapes: tuple[int, ...], others: tuple[TensorSpec, ...] = ()) -> Signature:
    """A model of a vector whose output "head" was split into parts."""
    named = enumerate(shapes)
    outputs = (TensorSpec(name=f"head_{n}", shape=shape, dtype="float32") for n, shape in named)
    vector = TensorSpec(name="vector", shape=(2,), dtype="float32")
    return signature(vector, outputs=(*outputs, *others))


CLASSES = TensorSpec(name="classes", shape=(3,), dtype="float32")
WHOLE = np.arange(3 * 8 * 5).reshape(3, 8, 5)


@pytest.mark.parametrize(
    ("name", "of", "expected"),
    [
        ("y", parts((8, 4), (8, 1)), {"head_0": WHOLE[..., :4], "head_1": WHOLE[..., 4:]}),
        ("head", parts((2, 5), (6, 5)), {"head_0": WHOLE[:, :2], "head_1": WHOLE[:, 2:]}),
        (
            "head",
            parts((8, 4), (8, 1), others=(CLASSES,)),
            {"head_0": WHOLE[..., :4], "head_1": WHOLE[..., 4:]},
        ),
    ],
)
def test_labels_of_an_output_that_was_split_are_split_like_it(
    tmp_path: Path, name: str, of: Signature, expected: dict[str, Any]
) -> None:
    path = saved(tmp_path, x=np.ones((3, 2)), **{name: WHOLE})
    context = Context(signature=of, project_file=ProjectFile())
    stored = read_dataset(path, context, tmp_path / "spool")
    labels = stored.dataset().labels
    assert labels.keys() == expected.keys()
    for output, values in expected.items():
        np.testing.assert_array_equal(labels[output], values)
    (note,) = stored.notes
    assert f"{name!r} has the shape that the model's outputs join to" in note


def test_labels_of_each_part_are_read_as_they_are(tmp_path: Path) -> None:
    own = np.ones((3, 8, 1))
    loaded = load(saved(tmp_path, x=np.ones((3, 2)), head_1=own), parts((8, 4), (8, 1)))
    assert list(loaded.labels) == ["head_1"]


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (
            parts((8, 4), (8, 2)),
            (
                r"'y' has shape \[8, 5\] for each sample, but the model's outputs are the parts of"
                r" one, head_0 of \[8, 4\] and head_1 of \[8, 2\], and do not join to that: save"
                r" labels of the shape of each part \(head_0=..., head_1=...\), or leave them out"
            ),
        ),
        (
            parts((8, 4), (8, 1), others=(CLASSES,)),
            (
                "the model's outputs are head_0, head_1, classes: name the arrays after them, or"
                " head for head_0, head_1 joined"
            ),
        ),
    ],
)
def test_labels_that_cannot_be_split_for_sure_are_refused(
    tmp_path: Path, of: Signature, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        load(saved(tmp_path, x=np.ones((3, 2)), y=WHOLE), of)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.ones(3)}, "no array 'x'; it holds images"),
        ({}, "no array 'x'; it holds nothing"),
        ({"x": np.array([{"a": 1}])}, "pickled objects"),
        ({"x": np.array([[1.0], [np.nan], [np.inf]])}, r"'x' is nan at \[1, 0\], one of 2"),
        (
            {"x": np.array([[1.0], [np.nan]])},
            r"\[1, 0\], the only value that is not finite; remove",
        ),
        ({"x": np.ones((2, 1)), "y": np.array([1.0, np.inf])}, "'y' is inf"),
        ({"x": np.ones((0, 4))}, "'x' is empty"),
        ({"x": np.float32(1)}, "'x' is a single number"),
        ({"x": np.array(["a", "b"])}, "dtype <U1"),
        ({"x": np.ones((3, 1), np.complex64)}, "dtype complex64"),
        ({"x": np.ones((3, 1), bool)}, "dtype bool"),
        ({"x": np.ones((3, 1)), "y": np.arange(4)}, "'y' holds 4 values for 3 samples"),
        ({"x": np.ones((3, 1)), "y": np.int64(4)}, "'y' holds one value for 3 samples"),
    ],
)
def test_invalid_data_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message) as error:
        load(saved(tmp_path, **arrays), vectors(1))
    assert "data.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_row_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.npy"
    header = {"descr": "<f4", "fortran_order": False, "shape": (2, 1 << 30)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[attr-defined]
        file.truncate(file.tell() + (8 << 30))  # a sparse file, which uses no space
    with pytest.raises(
        DatasetError, match="a row takes 4,096 MiB, more than 256 MiB; provide one sample"
    ):
        load(path, vectors(1))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with pytest.raises(DatasetError, match="no such dataset"):
        load(path, vectors(1))
    for content in (b"", b"hello", b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=r"not an \.npz, \.npy, \.csv or TFRecord file"):
            load(path, vectors(1))


def test_a_member_that_is_not_an_array_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x", "hello")
    with pytest.raises(DatasetError, match="provide numbers"):
        load(tmp_path / "data.npz", vectors(1))


def test_a_damaged_file_raises_nothing_but_a_dataset_error(tmp_path: Path) -> None:
    x = np.arange(64.0).reshape(8, 8)
    plain = saved(tmp_path, x=x).read_bytes()
    np.savez_compressed(tmp_path / "small.npz", x=x)
    files = (plain, (tmp_path / "small.npz").read_bytes())
    random = np.random.default_rng(0)
    for turn in range(1000):
        whole = files[turn % 2]
        broken = bytearray(whole[: random.integers(1, len(whole) + 1)])
        for _ in range(random.integers(0, 4)):
            broken[random.integers(len(broken))] = random.integers(256)
        path = tmp_path / "broken.npz"
        path.write_bytes(broken)
        try:
            load(path, vectors(8))
        except DatasetError as error:
            assert "broken.npz" in str(error)  # noqa: PT017


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, np.int64])
def test_numbers_are_cast_to_the_models_input(dataset: Any, dtype: type) -> None:
    x = dataset(np.full((2, 8, 8, 1), 200, dtype), IMAGE).inputs["image"]
    assert x.dtype == np.float32
    assert (x == 200).all()


@pytest.mark.parametrize(
    ("x", "spec", "message"),
    [
        (np.ones((2, 8, 8)), IMAGE, r"add the last axis with x\[..., np.newaxis\]"),
        (np.ones((2, 1, 8, 8)), IMAGE, "move the channels last"),
        (np.ones((2, 9, 8, 1)), IMAGE, r"takes \(samples, 8, 8, 1\) float32"),
        (np.ones((2, 8, 8, 1), np.int8), IMAGE, "int8 looks like quantized data"),
        (np.full((2, 8, 8, 1), 1e300), IMAGE, "cannot hold the largest values"),
        (np.ones((2, 5)), TOKENS, "provide integers in its range"),
        (np.full((2, 5), 2**40), TOKENS, "provide integers in its range"),
    ],
)
def test_data_that_do_not_fit_the_model_are_refused_with_the_cure(
    dataset: Any, x: Any, spec: TensorSpec, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        dataset(x, spec)


def test_an_open_dimension_takes_any_size(dataset: Any) -> None:
    spec = TensorSpec(name="image", shape=(None, None, 1), dtype="float32")
    assert dataset(np.ones((2, 5, 7, 1)), spec).inputs["image"].shape == (2, 5, 7, 1)
