"""Labels and metrics that are refused, or read otherwise than meant, are taken as advised."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_metrics import IMAGE, MANY, SCORES, YES, data, dataset

from edgepack.core.errors import UsageError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.metrics import choose_measures, choose_training_measures, find_metric, label_notes
from edgepack.storage.dataset import Dataset

TINY = TensorSpec(name="tiny", shape=(2, 2, 1), dtype="float32")
FOLDERS = ("bad", "good", "worn")
TARGETS, SHARES = np.zeros((2, 3)), np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
SEVERAL = np.array([[1, 1, 0], [0, 1, 0]])
ONE_HOT = np.array([[1, 0, 0], [0, 1, 0]])


def labelled(y: Any, output: TensorSpec, classes: tuple[str, ...] = ()) -> Dataset:
    return data(y, output, classes) if output in (IMAGE, MANY, TINY) else dataset(y, output)


@pytest.mark.parametrize(
    ("metric", "y", "output", "advice", "followed"),
    [
        ("accuracy", [1, 3], SCORES, "count from 0, save y - 1", [("accuracy", [0, 2])]),
        ("accuracy", [-1, 1], YES, "save (y + 1) // 2", [("accuracy", [0, 1])]),
        ("accuracy", [0, 1], IMAGE, "choose another metric", [("mse", np.zeros((2, 4, 4, 1)))]),
        (
            "accuracy",
            SEVERAL,
            SCORES,
            "if its largest values mark the classes, save y.argmax(axis=1)",
            [("accuracy", SEVERAL.argmax(axis=1))],
        ),
        ("mse", [1, 2], SCORES, "for class numbers choose the metric 'accuracy'", [("accuracy",)]),
        (
            "mse",
            [1.5, 2],
            SCORES,
            "save one target for each value of the output",
            [(None, TARGETS)],
        ),
        (
            "mse",
            [1, 2],
            IMAGE,
            "save one target for each value of the output",
            [("mse", np.zeros((2, 4, 4, 1)))],
        ),
        ("mse", [1e300, 0.0], YES, "rescale them", [("mse", [1.0, 0.0])]),
        ("r2", np.zeros((2, 4, 4, 1)), IMAGE, "choose the metric 'mse'", [("mse",)]),
        ("miou", [0, 1], SCORES, "choose another metric", [("accuracy",)]),
        ("psnr", [0, 1], SCORES, "choose another metric", [("accuracy",)]),
        ("reconstruction-mse", [0, 1], YES, "choose another metric", [("accuracy",)]),
        ("top-3", [0, 1], SCORES, "a smaller number, or the metric", [("top-2",), ("accuracy",)]),
        ("top-5", [0, 1], YES, "choose the metric 'accuracy'", [("accuracy",)]),
        ("ssim", np.zeros((2, 2, 2, 1)), TINY, "choose the metric 'psnr'", [("psnr",)]),
    ],
)
def test_labels_and_metrics_are_accepted_as_advised(
    metric: str, y: Any, output: TensorSpec, advice: str, followed: Iterable[tuple[Any, ...]]
) -> None:
    signature = Signature(inputs=(), outputs=(output,))
    with pytest.raises(UsageError, match=re.escape(advice)):
        find_metric(metric).wanted(labelled(y, output), output)
    for name, *values in followed:
        samples = labelled(*(values or [y]), output)
        assert list(choose_measures(name, samples, signature)) == [output.name]


def test_an_autoencoder_of_two_inputs_has_another_metric() -> None:
    two = Dataset(
        source=Path("d"),
        inputs={"a": np.zeros((2, 3)), "b": np.zeros((2, 3))},
        labels={"scores": np.array([0, 1])},
    )
    with pytest.raises(UsageError, match="has 2 inputs; choose another metric"):
        find_metric("reconstruction-mse").wanted(two, SCORES)
    find_metric("accuracy").wanted(two, SCORES)


@pytest.mark.parametrize(
    ("metric", "classes", "y", "output", "advice", "followed"),
    [
        ("accuracy", FOLDERS[:2], [0, 1], SCORES, "create an empty subfolder for each", FOLDERS),
        ("accuracy", FOLDERS, [0, 1], YES, "remove the subfolders that are no class", FOLDERS[:2]),
        ("anomaly-auc", FOLDERS, [0, 1], MANY, "rename the one of", ("bad", "normal", "worn")),
    ],
)
def test_subfolders_are_those_of_the_model_as_advised(
    metric: str,
    classes: tuple[str, ...],
    y: Any,
    output: TensorSpec,
    advice: str,
    followed: tuple[str, ...],
) -> None:
    with pytest.raises(UsageError, match=advice):
        find_metric(metric).wanted(data(y, output, classes), output)
    find_metric(metric).wanted(data(y, output, followed), output)


@pytest.mark.parametrize(
    ("metric", "y", "advice", "name", "values"),
    [
        ("mse", ONE_HOT, "for their classes choose the metric 'accuracy'", "accuracy", ONE_HOT),
        (None, SHARES, "for accuracy save y.argmax(axis=1)", None, SHARES.argmax(axis=1)),
        (None, SEVERAL, "name a function of yours with --metric", "numpy:vdot", SEVERAL),
    ],
)
def test_labels_of_two_meanings_are_taken_as_advised(
    metric: str | None, y: Any, advice: str, name: str | None, values: Any
) -> None:
    signature = Signature(inputs=(), outputs=(SCORES,))

    def notes(name: str | None, y: Any) -> list[str]:
        samples = dataset(y, SCORES)
        measures = choose_measures(name, samples, signature)
        return list(label_notes(measures, samples, signature, "test"))

    assert advice in notes(metric, y)[0]
    assert not any(advice in note for note in notes(name, values))


def test_a_metric_without_a_loss_is_replaced_to_fine_tune() -> None:
    samples, signature = dataset([0, 1], SCORES), Signature(inputs=(), outputs=(SCORES,))
    with pytest.raises(UsageError, match="choose another metric, or the loss 'distillation'"):
        choose_training_measures("numpy:vdot", samples, signature)
    assert choose_training_measures("accuracy", samples, signature)
