"""Every command warns of a float model that tells nothing, or is misunderstood by the labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny
from conftest import PHONE, Edgepack
from numpy.typing import NDArray

from edgepack.core.signature import Signature, TensorSpec
from edgepack.evaluation.guessing import find_guessing
from edgepack.metrics import choose_measures
from edgepack.pipeline.steps.float_notes import float_model_notes
from edgepack.storage.dataset import Dataset

RANDOM = np.random.default_rng(0)
TRUE = RANDOM.permutation(np.arange(200) % 4)
ORDER = np.array([1, 2, 3, 0])

ORDER_OF_LABELS = "warning: the labels seem to number the classes in another order than the model"
GUESSES = "itself is right no more often than by guessing"


def one_hot(classes: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.eye(4, dtype=np.float32)[classes]


def notes_of(outputs: NDArray[np.float32], labels: NDArray[np.int64] | None) -> list[str]:
    signature = Signature(
        inputs=(), outputs=(TensorSpec(name="y", shape=outputs.shape[1:], dtype="float32"),)
    )
    data = Dataset(
        source=Path(), inputs={"x": outputs}, labels={} if labels is None else {"y": labels}
    )
    return [*float_model_notes({"y": outputs}, choose_measures(None, data, signature))]


def test_a_good_model_has_no_notes() -> None:
    assert notes_of(one_hot(TRUE), TRUE) == []
    assert notes_of(one_hot(TRUE), None) == []
    assert notes_of(one_hot(TRUE)[:1], None) == []
    assert notes_of(RANDOM.normal(size=(200, 3)), RANDOM.normal(size=(200, 3))) == []


@pytest.mark.parametrize("labels", [None, TRUE])
def test_an_output_that_is_always_the_same_is_named(labels: NDArray[np.int64] | None) -> None:
    (note,) = notes_of(np.full((200, 4), 0.25, np.float32), labels)
    assert note == (
        "warning: the output 'y' of the float model is the same for every sample, so nothing can be"
        " lost there: check the model and the data"
    )


def test_outputs_that_only_differ_by_rounding_are_the_same() -> None:
    rounded = np.full((200, 4), 0.3, np.float32)
    rounded[64:] = np.nextafter(rounded[64:], np.float32(1))  # as of a batch of another size
    (note,) = notes_of(rounded, None)
    assert "is the same for every sample" in note
    saturated = one_hot(0 * TRUE)
    saturated[:, 1] = RANDOM.uniform(1e-12, 1e-9, 200)
    assert notes_of(saturated, None) == []


@pytest.mark.parametrize("seed", range(3))
def test_random_labels_random_outputs_and_a_constant_class_are_guesses(seed: int) -> None:
    random = np.random.default_rng(seed)
    varying = random.uniform(0.3, 1, (200, 1)).astype(np.float32)
    for outputs in (one_hot(random.permutation(TRUE)), one_hot(0 * TRUE) * varying):
        (note,) = notes_of(outputs, TRUE)
        assert note.startswith(f"warning: the float model {GUESSES}: accuracy ")
        assert note.endswith(", chance 25.0%, on 200 samples; check the labels and the data")
        assert notes_of(one_hot(TRUE), TRUE) == []  # with the labels of the data, as advised


def test_a_model_that_finds_few_of_a_rare_class_does_not_guess() -> None:
    rare = (np.arange(1000) < 50).astype(np.int64)
    alarms = np.where(rare == 1, RANDOM.random(1000) < 0.8, RANDOM.random(1000) < 0.05)
    scores = np.where(alarms, 0.9, 0.1)[:, np.newaxis].astype(np.float32)
    assert (alarms == rare).mean() < 0.95  # less often right than without any alarm
    assert find_guessing(scores, rare) is None


def test_too_few_samples_and_samples_of_one_class_are_no_guesses() -> None:
    assert find_guessing(one_hot((TRUE + 1) % 4)[:12], TRUE[:12]) is None
    zeros = np.zeros_like(TRUE)
    assert find_guessing(one_hot(np.where(RANDOM.random(200) < 0.9, 0, 1)), zeros) is None


def write_models(folder: Path) -> None:
    """Write a classifier of four values, by the largest, and its data in three states."""
    for kind, quantized in (("float32", ()), ("int8", (0.5, 0))):
        shape = tiny.Value((2,), "int32", values=[1, 4])
        value = tiny.Value((1, 2, 2), kind, *quantized)
        outputs = [tiny.Value((1, 4), kind, *quantized)]
        name = "float.tflite" if kind == "float32" else "int8.tflite"
        (folder / name).write_bytes(tiny.one_operator("RESHAPE", [value, shape], outputs))
    x = (one_hot(TRUE) * RANDOM.uniform(10, 40, (200, 1))).astype(np.float32).reshape(-1, 2, 2)
    random = RANDOM.permutation(TRUE)
    for name, labels in (("right", TRUE), ("order", ORDER[TRUE]), ("random", random)):
        np.savez(folder / f"{name}.npz", x=x, y=labels)


@pytest.mark.parametrize(("data", "warning"), [("order", ORDER_OF_LABELS), ("random", GUESSES)])
def test_every_command_warns_unless_the_labels_are_right(
    edgepack: Edgepack, tmp_path: Path, data: str, warning: str
) -> None:
    """With a float model beside the file, and without one."""
    write_models(tmp_path)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "int8.tflite").write_bytes((tmp_path / "int8.tflite").read_bytes())
    json_format = ("--format", "json")
    files = [tmp_path / name for name in ("float.tflite", "int8.tflite")]
    for command in (
        ("compare", *files, "--target", PHONE, "--json"),
        ("validate", files[1], "--target", PHONE, "--max-drop", "2", *json_format),
        ("validate", tmp_path / "alone" / "int8.tflite", "--target", PHONE, *json_format),
    ):
        for given, expected in ((data, 1), ("right", 0)):
            done = edgepack(*command, "--test", tmp_path / f"{given}.npz")
            assert done.returncode == 0, done.stderr
            notes = json.loads(done.stdout)["notes"]
            assert sum(warning in note for note in notes) == expected, notes


@pytest.mark.parametrize(("data", "warning"), [("order", ORDER_OF_LABELS), ("random", GUESSES)])
def test_quantize_warns_once(edgepack: Edgepack, tmp_path: Path, data: str, warning: str) -> None:
    """Also where the linter has found it already."""
    write_models(tmp_path)
    done = edgepack(
        *("quantize", tmp_path / "float.tflite", "--representative", tmp_path / "right.npz"),
        *("--test", tmp_path / f"{data}.npz", "--output", tmp_path / "out"),
        *("--target", PHONE),
    )
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert " ".join(" ".join(lines).split()).count(warning.removeprefix("warning: ")) == 1
    assert ("label-order" if data == "order" else warning) in last
