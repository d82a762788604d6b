"""Labels choose the metric, and those of two meanings are said to be taken as one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_metrics import PIXELS, SCORES, YES, data, dataset

from edgepack.core.errors import ConfigError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.metrics import choose_measures, label_notes


def test_the_labels_choose_the_metric_unless_it_is_named() -> None:
    def chosen(name: str | None, y: Any, output: TensorSpec) -> str | None:
        signature = Signature(inputs=(), outputs=(output,))
        measure = choose_measures(name, dataset(y, output), signature).get(output.name)
        return measure and measure.metric.name

    assert chosen(None, [0, 1], SCORES) == "accuracy"
    assert chosen(None, [0.0, 2.0], SCORES) == "accuracy"
    assert chosen(None, [[0], [1]], YES) == "accuracy"
    assert chosen(None, [3, 7], YES) == "mse"
    assert chosen(None, [0.5, 1.0], YES) == "mse"
    assert chosen(None, [[1, 0, 0], [0, 1, 0]], SCORES) == "accuracy"
    assert chosen(None, [[1.0, 0.0], [0.0, 1.0]], YES) == "accuracy"
    assert chosen(None, [[1, 1, 0], [0, 1, 0]], SCORES) == "mse"
    assert chosen(None, [[0.8, 0.1, 0.1], [0, 1, 0]], SCORES) == "mse"
    assert chosen("mse", [[1, 0, 0], [0, 1, 0]], SCORES) == "mse"
    assert chosen(None, None, SCORES) is None
    assert chosen("mse", [0, 1], YES) == "mse"
    with pytest.raises(ConfigError, match="unknown metric 'f2': known metrics: accuracy"):
        chosen("f2", None, SCORES)


def test_one_hot_labels_stand_for_the_classes_of_their_1s() -> None:
    signature = Signature(inputs=(), outputs=(SCORES,))
    numbers = np.array([2, 0, 1, 1])
    (one_hot,) = choose_measures(None, dataset(np.eye(3)[numbers], SCORES), signature).values()
    (given,) = choose_measures(None, dataset(numbers, SCORES), signature).values()
    assert one_hot.metric is given.metric
    np.testing.assert_array_equal(one_hot.wanted[:], given.wanted[:])


def test_one_hot_maps_stand_for_the_classes_of_their_1s() -> None:
    signature = Signature(inputs=(), outputs=(PIXELS,))
    numbers = np.arange(32).reshape(2, 4, 4) % 3
    (one_hot,) = choose_measures(None, data(np.eye(3)[numbers], PIXELS), signature).values()
    assert one_hot.metric.name == "miou"
    np.testing.assert_array_equal(one_hot.wanted[:], numbers)


@pytest.mark.parametrize(
    ("name", "y", "note"),
    [
        (None, [0, 1], None),
        (None, [[0.2, 0.3, 7.0], [1.0, 0.1, 0.0]], None),
        (None, [[1, 0, 0], [0, 1, 0]], "the test labels are one-hot: each stands for the class"),
        ("mse", [[1, 0, 0], [0, 1, 0]], "one-hot, but they are taken as the outputs to reach"),
        (None, [[1, 1, 0], [0, 1, 0]], "rows without a single 1, so they name no class for each"),
        (None, [[0.8, 0.1, 0.1], [0, 1, 0]], "are probabilities: they are taken as the outputs to"),
    ],
    ids=["class numbers", "values", "one-hot", "one-hot by mse", "several classes", "soft labels"],
)
def test_how_labels_of_two_meanings_are_taken_is_said(
    name: str | None, y: Any, note: str | None
) -> None:
    signature = Signature(inputs=(), outputs=(SCORES,))
    labelled = dataset(y, SCORES)
    measures = choose_measures(name, labelled, signature)
    found = list(label_notes(measures, labelled, signature, "test"))
    assert len(found) == (note is not None)
    assert note is None or note in found[0]


def test_arrays_that_may_be_meant_as_labels_are_named() -> None:
    signature = Signature(inputs=(), outputs=(SCORES,))
    unlabelled = replace(dataset(None, SCORES), labels={}, unused=("cls", "labels"))
    assert list(label_notes({}, unlabelled, signature, "test")) == [
        (
            "the arrays cls, labels of the test data are not used: labels are called"
            f" {SCORES.name} or y"
        )
    ]
    labelled = replace(dataset([0, 1], SCORES), unused=("id",))
    for measures in (choose_measures(None, labelled, signature), {}):
        assert not list(label_notes(measures, labelled, signature, "test"))
