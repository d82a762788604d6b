"""Per-class metrics and the confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest
from evaluated_outputs import ACCURACY, scores
from sklearn.metrics import roc_auc_score

from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.per_class import class_results
from edgepack.metrics.metric import Measure


@pytest.mark.usefixtures("small_blocks")
def test_per_class_metrics_equal_those_of_scikit_learn() -> None:
    probabilities = scores(300, 5)
    labels = np.random.default_rng(2).integers(0, 4, 300)  # none of the last class
    names = tuple("abcd<")
    for boundary, outputs in ((0.5, probabilities), (0.0, np.log(probabilities))):
        results, confusion = class_results(outputs, None, boundary, labels, names)
        for number, each in enumerate(results[:4]):
            predicted = probabilities.argmax(1)
            correct = ((predicted == number) & (labels == number)).sum()
            assert each.recall == pytest.approx(correct / (labels == number).sum())
            assert each.precision == pytest.approx(correct / (predicted == number).sum())
            assert each.roc_auc == pytest.approx(
                roc_auc_score(labels == number, probabilities[:, number])
            )
            assert each.samples == (labels == number).sum()
        assert results[4].recall is None
        assert results[4].roc_auc is None
        assert results[4].precision == 0.0
    assert sum(count for *_, count in confusion) == 300
    assert (2, 3, ((labels == 2) & (predicted == 3)).sum()) in confusion
    assert confusion == tuple(sorted(confusion))


def test_a_single_output_has_two_classes() -> None:
    outputs = np.array([[0.1], [0.6], [0.7], [0.7]])
    results, confusion = class_results(outputs, None, 0.5, np.array([0, 0, 1, 1]), ("no", "yes"))
    assert confusion == ((0, 0, 1), (0, 1, 1), (1, 1, 2))
    assert [each.roc_auc for each in results] == [1.0, 1.0]
    assert [each.recall for each in results] == [0.5, 1.0]


def test_with_too_many_classes_there_are_no_per_class_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgepack.evaluation.evaluate.MAX_CLASSES", 2)
    outputs = scores(20)
    result = Evaluator(
        outputs, [Measure(metric=ACCURACY, wanted=outputs.argmax(1))], ()
    ).float_result()
    assert (result.classes, result.confusion) == ((), ())
    assert result.metrics["accuracy"].value == 1.0


def test_roc_auc_does_not_depend_on_how_many_classes_are_computed_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = (scores(40, 5), None, 0.5, np.arange(40) % 5, tuple("abcde"))
    at_once = class_results(*arguments)
    monkeypatch.setattr("edgepack.evaluation.per_class._SCORE_BYTES", 8 * 40 * 2)
    assert class_results(*arguments) == at_once
