"""Caching of scores, by outputs, labels, metrics and class names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgepack.metrics import Measure, find_metric
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs, array_digest
from edgepack.pipeline.comparison.cached_scores import Scoring
from edgepack.storage.cache import Cache

LABELS = np.arange(12) % 3
RIGHT = np.eye(3, dtype=np.float32)[LABELS]
WRONG = np.roll(RIGHT, 1, axis=1)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    (tmp_path / "scratch").mkdir()
    return Cache(tmp_path / "cache", tmp_path / "scratch")


def runtime_outputs(*outputs: Any, content: str = "float") -> RuntimeOutputs:
    return RuntimeOutputs(version="1", outputs=outputs, failure=None, content=content)


def measure(name: str, labels: Any = LABELS) -> Measure:
    return Measure(metric=find_metric(name), wanted=labels)


def value(scoring: Scoring, name: str) -> float | None:
    return scoring.float_result().metrics[name].value


def test_scores_of_the_same_inputs_are_computed_once(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (0, runtime_outputs(RIGHT), [measure("accuracy")], ("a", "b", "c"), cache)
    first = Scoring(*arguments).float_result()
    monkeypatch.setattr("edgepack.pipeline.comparison.cached_scores.Evaluator", None)
    assert Scoring(*arguments).float_result() == first


def test_each_output_has_scores_of_its_own(cache: Cache) -> None:
    both = runtime_outputs(RIGHT, WRONG)
    scorings = {place: Scoring(place, both, [measure("accuracy")], (), cache) for place in (0, 1)}
    assert value(scorings[0], "accuracy") == 1.0
    assert value(scorings[1], "accuracy") == 0.0


def test_other_labels_metrics_outputs_and_names_are_other_scores(cache: Cache) -> None:
    def scoring(**changes: Any) -> Scoring:
        arguments = {
            "float_run": runtime_outputs(RIGHT),
            "measures": [measure("accuracy")],
            "classes": (),
        }
        return Scoring(place=0, cache=cache, **arguments | changes)

    assert value(scoring(), "accuracy") == 1.0
    assert value(scoring(measures=[measure("accuracy", (LABELS + 1) % 3)]), "accuracy") == 0.0
    assert list(scoring(measures=[measure("top-2")]).float_result().metrics) == ["top-2"]
    assert value(scoring(float_run=runtime_outputs(WRONG, content="other")), "accuracy") == 0.0
    named = scoring(classes=("a", "b", "c")).float_result()
    assert [each.name for each in named.classes] == ["a", "b", "c"]


def test_a_user_defined_metric_is_computed_again(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_metric_module.py").write_text("def f(wanted, outputs): return 1.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    own_metric = measure("own_metric_module:f")
    outputs, name = runtime_outputs(RIGHT), own_metric.metric.name
    assert value(Scoring(0, outputs, [own_metric], (), cache), name) == 1.0
    changed = replace(own_metric.metric, value=lambda rows, weights: np.full(len(weights), 2.0))  # noqa: ARG005
    own_metric = replace(own_metric, metric=changed)
    assert value(Scoring(0, outputs, [own_metric], (), cache), name) == 2.0


def test_digests_differ_for_other_shapes_and_dtypes() -> None:
    zeros = [np.zeros(4, "i4"), np.zeros((2, 2), "i4"), np.zeros(4, "f4"), np.zeros(2, "i8")]
    assert len({array_digest(each) for each in zeros}) == len(zeros)
    assert array_digest(np.asfortranarray(RIGHT)) == array_digest(RIGHT)
