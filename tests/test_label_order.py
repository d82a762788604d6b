"""Labels that number the classes in another order than the model or the folder are found."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import tiny
from conftest import PHONE
from firmware_projects import error_of
from numpy.typing import NDArray
from PIL import Image

from edgepack.calibration.lint import TEST
from edgepack.calibration.lint.label_rules import find_reordering
from edgepack.calibration.lint.model_rules import lint_training
from edgepack.config.compare import CompareConfig
from edgepack.config.firmware import ONLY_MODEL, NamedModel
from edgepack.config.labels import require_class_order
from edgepack.config.model_source import ModelSource
from edgepack.core.errors import ConfigError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.load import load_model
from edgepack.load.loaded_model import FloatModel, Runner
from edgepack.pipeline.comparison.compare import compare

RANDOM = np.random.default_rng(0)
Labels = NDArray[np.int64]
ORDER = np.array([3, 1, 0, 2])
"""The number that the model has for each label."""


def scores(predicted: Labels, classes: int, *, correct: float = 1.0) -> NDArray[np.float32]:
    """Scores that predict these classes, or random ones for some of the samples."""
    is_random = RANDOM.random(len(predicted)) > correct
    chosen = np.where(is_random, RANDOM.integers(0, classes, len(predicted)), predicted)
    return np.eye(classes, dtype=np.float32)[chosen]


def labels_of(samples: int, classes: int) -> Labels:
    return RANDOM.permutation(np.arange(samples) % classes)


def test_labels_in_another_order_are_found_with_the_order() -> None:
    labels = labels_of(128, 4)
    found = find_reordering(scores(ORDER[labels], 4, correct=0.95), labels)
    assert found is not None
    assert found.moved == {0: 3, 2: 0, 3: 2}
    assert found.before < 0.4
    assert found.after > 0.9
    assert found.sentence(("ape", "bee", "cat", "dog")).endswith(
        "in the order in which it predicts label 0 (ape) as 3, 2 (cat) as 0, 3 (dog) as 2"
    )


def test_a_class_that_is_predicted_badly_hides_no_other_order() -> None:
    labels = labels_of(128, 5)
    predicted = 4 - labels
    predicted[np.flatnonzero(labels == 0)[::3]] = 2
    found = find_reordering(scores(predicted, 5), labels)
    assert found is not None
    assert found.moved == {0: 4, 1: 3, 3: 1, 4: 0}


def test_two_swapped_classes_of_many_are_found() -> None:
    labels = labels_of(400, 10)
    swapped = np.array([0, 1, 2, 3, 4, 5, 7, 6, 8, 9])
    found = find_reordering(scores(swapped[labels], 10, correct=0.95), labels)
    assert found is not None
    assert found.moved == {6: 7, 7: 6}


def test_the_labels_of_two_classes_that_are_swapped_are_found() -> None:
    labels = labels_of(100, 2)
    for logits in (np.where(labels == 0, 3.0, -3.0), np.where(labels == 0, 0.9, 0.1)):
        found = find_reordering(logits[:, np.newaxis].astype(np.float32), labels)
        assert found is not None
        assert found.moved == {0: 1, 1: 0}


@pytest.mark.parametrize("step", [1, -1])
def test_labels_that_are_one_off_are_found_with_few_samples_of_each_class(step: int) -> None:
    """Such as those of ImageNet for a model that has a class for the background."""
    labels = RANDOM.permutation(np.arange(1, 1000))[:128]
    found = find_reordering(scores(labels + step, 1001, correct=0.9), labels)
    assert found is not None
    assert all(predicted == label + step for label, predicted in found.moved.items())


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("samples", "classes"), [(8, 2), (16, 2), (16, 10), (40, 4), (128, 10), (128, 1000)]
)
def test_a_bad_model_is_no_other_order(seed: int, samples: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    labels = np.arange(samples) % classes
    outputs = random.random((samples, classes)).astype(np.float32)
    assert find_reordering(outputs, labels) is None


def test_a_good_model_a_constant_one_and_a_confused_one_are_no_other_order() -> None:
    labels = labels_of(200, 4)
    assert find_reordering(scores(labels, 4, correct=0.9), labels) is None
    assert find_reordering(scores(np.zeros_like(labels), 4), labels) is None
    assert find_reordering(scores(np.where(labels == 0, 1, labels), 4), labels) is None
    assert find_reordering(scores(np.maximum(labels, 2), 4), labels) is None
    rare = np.where(np.arange(200) < 190, 1, 0)
    assert find_reordering(scores(np.zeros_like(rare), 2), rare) is None


def test_few_samples_are_not_certain() -> None:
    labels = labels_of(12, 4)
    assert find_reordering(scores(ORDER[labels], 4), labels) is None


def pixels(kind: str) -> bytes:
    """A classifier of pictures of four pixels, by the brightest of them."""
    quantized = () if kind == "float32" else (1.0,)
    shape = tiny.Value((2,), "int32", values=[1, 4])
    return tiny.one_operator(
        "RESHAPE",
        [tiny.Value((1, 2, 2, 1), kind, *quantized), shape],
        [tiny.Value((1, 4), kind, *quantized)],
    )


NAMES = ["ape", "bee", "cat", "dog"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of pictures, 20 of each class, of which each has one bright pixel."""
    for number, name in enumerate(NAMES):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for index in range(20):
            values = np.zeros(4, np.uint8)
            values[number] = 100 + index
            path = tmp_path / "pictures" / name / f"{index}.png"
            Image.fromarray(values.reshape(2, 2)).save(path)
    return tmp_path / "pictures"


def config(folder: Path, test: Path, names: list[str] | None = None) -> CompareConfig:
    (folder / "float.tflite").write_bytes(pixels("float32"))
    (folder / "int8.tflite").write_bytes(pixels("int8"))
    if names:
        (folder / "labels.txt").write_text("\n".join(names))
    return CompareConfig(
        model=folder / "float.tflite",
        candidates=(NamedModel(path=folder / "int8.tflite"),),
        test=test,
        labels=folder / "labels.txt" if names else None,
        targets=(PHONE,),
        is_cached=False,
    )


def test_compare_warns_of_labels_in_another_order(tmp_path: Path, pictures: Path) -> None:
    assert compare(config(tmp_path, pictures)).notes == ()
    for name, other in (("ape", "x"), ("bee", "ape"), ("x", "bee")):
        (pictures / name).rename(pictures / other)
    (warning,) = compare(config(tmp_path, pictures)).notes
    assert warning.startswith("warning: the labels seem to number the classes in another order")
    assert "label 0 (ape) as 1, 1 (bee) as 0;" in warning
    for number, name in enumerate(["bee", "ape", "cat", "dog"]):  # as the warning advises
        (pictures / name).rename(pictures / f"{number}_{name}")
    assert compare(config(tmp_path, pictures)).notes == ()


def test_the_linter_finds_labels_in_another_order(tmp_path: Path) -> None:
    (tmp_path / "float.tflite").write_bytes(pixels("float32"))
    model = load_model(ModelSource(path=tmp_path / "float.tflite"))
    (spec,), (output,) = model.signature.inputs, model.signature.outputs
    labels = labels_of(100, 4)
    inputs = {spec.name: 100 * scores(ORDER[labels], 4).reshape(-1, 2, 2, 1)}
    (finding,), _ = lint_training(model, TEST, inputs, {output.name: labels}, tuple(NAMES))
    assert finding.rule == "label-order"
    assert "predicts label 0 (ape) as 3, 2 (cat) as 0, 3 (dog) as 2" in finding.sentence
    assert lint_training(model, TEST, inputs, {output.name: ORDER[labels]})[0] == []


class Blobs(FloatModel):
    """Tells clusters of points apart if they are as they were in training, not scaled or shuffled.

    Where they are scaled down, it predicts the same class for most; so ``divide by 255`` lifts
    accuracy from none to that of a guess, if the labels are in another order.
    """

    runtime = "numpy"
    batch = None

    def __init__(self) -> None:
        spec = TensorSpec(name="x", shape=(6,), dtype="float32")
        scores = TensorSpec(name="y", shape=(4,), dtype="float32")
        super().__init__(Path("blobs"), Signature(inputs=(spec,), outputs=(scores,)))
        self.centers = 2 * np.eye(4, 6, dtype=np.float32)

    def runner(self, shapes: Sequence[tuple[int, ...]]) -> Runner:  # noqa: ARG002
        def run(points: NDArray[np.float32]) -> list[NDArray[np.float32]]:
            logits = 3 * points @ self.centers.T + np.array([0, 0, 0.1, 0])
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            return [odds / odds.sum(axis=1, keepdims=True)]

        return run


BLOBS = Blobs()
TRUE = labels_of(128, 4)
POINTS = (BLOBS.centers[TRUE] + RANDOM.normal(0, 0.3, (128, 6))).astype(np.float32)


def lint_blobs(points: NDArray[np.float32], labels: Labels) -> list[str]:
    findings, _ = lint_training(BLOBS, TEST, {"x": points.astype(np.float32)}, {"y": labels})
    return [f"{each.rule}: {each.cure}" for each in findings]


@pytest.mark.parametrize("order", [*permutations(range(4))][1:])
def test_the_cure_for_labels_in_another_order_is_no_other_scale(order: tuple[int, ...]) -> None:
    labels = np.array(order)[TRUE]
    assert lint_blobs(POINTS, TRUE) == []
    (finding,) = lint_blobs(POINTS, labels)
    assert finding.startswith("label-order: number the classes in the order of the model's outputs")
    assert lint_blobs(POINTS, np.argsort(order)[labels]) == []  # as advised


@pytest.mark.parametrize("seed", range(5))
def test_a_cure_that_only_reaches_the_accuracy_of_a_guess_is_none(seed: int) -> None:
    random = np.random.default_rng(seed)
    assert lint_blobs(POINTS, random.integers(0, 4, 128)) == []
    assert lint_blobs(POINTS, np.where(random.random(128) < 0.7, 2, 1)) == []  # mostly one class
    half = np.where(random.random(128) < 0.5, (TRUE + 1) % 4, random.integers(0, 4, 128))
    assert lint_blobs(POINTS, half) == []
    assert lint_blobs(random.permuted(POINTS, axis=1), TRUE) == []


def test_a_cure_that_makes_the_model_good_is_found() -> None:
    (finding,) = lint_blobs(POINTS / 255, TRUE)
    assert finding == "accuracy: multiply 'x' by 255"
    assert lint_blobs(POINTS / 255 * 255, TRUE) == []


def test_names_in_another_order_than_the_subfolders_are_refused(
    tmp_path: Path, pictures: Path
) -> None:
    names = ["Ape", "cat", "bee", "dog"]
    message = (
        "labels.txt: lists the classes in another order than the subfolders of the test data: line"
        " 2 is 'cat', but subfolder 2 by name is 'bee'"
    )
    with pytest.raises(ConfigError, match=message):
        compare(config(tmp_path, pictures, names))
    (tmp_path / "labels.txt").write_text("\n".join(names))
    said = error_of(
        tmp_path,
        NamedModel(path=tmp_path / "int8.tflite"),
        labels={ONLY_MODEL: tmp_path / "labels.txt"},
        tests={ONLY_MODEL: pictures},
    )
    assert "lists the classes in another order than the subfolders" in said
    report = compare(config(tmp_path, pictures, ["Ape", "bee", "cat", "dog"]))
    assert report.classes == {"model/layer/Op": ("Ape", "bee", "cat", "dog")}
    for number, name in enumerate(names):  # as the message advises
        (pictures / name.lower()).rename(pictures / f"{number}_{name.lower()}")
    assert compare(config(tmp_path, pictures, names)).classes["model/layer/Op"] == tuple(names)


def test_other_names_are_not_compared(tmp_path: Path) -> None:
    for names in (["hot dog", "ape"], ["b", "c"], ["a"], []):
        require_class_order(tmp_path, names, ["ape", "bee"])
    with pytest.raises(ConfigError, match=r"line 1 is 'hot-dog', but .* is 'ape'"):
        require_class_order(tmp_path, ["hot-dog", "Ape"], ["ape", "Hot Dog"])
