"""The same inputs give the same bytes, however many processors there are."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from conftest import MLPERF, Bundle, export, export_pruned, files, python

SCORE = """
import sys

import numpy as np

from edgepack.metrics.metric import weighted_mean
from edgepack.metrics.regression import REGRESSION

random = np.random.default_rng(0)
weights = random.integers(0, 4, (100, 2000))
rows = random.normal(size=(2000, 2, 10)) ** 2
(r2,) = (metric.value for metric in REGRESSION if metric.name == "r2")
for values in (weighted_mean(rows[:, 0, 0], weights), r2(rows, weights)):
    sys.stdout.write(values.tobytes().hex())
"""


@pytest.fixture
def one_processor() -> partial[None]:
    """What keeps a process to one of the processors that there are."""
    processors = os.sched_getaffinity(0)
    if len(processors) == 1:
        pytest.skip("there is one processor only")
    return partial(os.sched_setaffinity, 0, {min(processors)})


def test_a_pruned_and_trained_model_is_the_same_on_one_processor_and_on_all(
    pruned_digits: Bundle, digits: Path, tmp_path: Path, one_processor: partial[None]
) -> None:
    alone = export_pruned(tmp_path / "out", digits, preexec_fn=one_processor)
    assert files(alone.folder) == files(pruned_digits.folder)


@pytest.mark.slow
def test_a_pruned_and_trained_resnet_is_the_same_on_one_processor_and_on_all(
    mlperf: Path, tmp_path: Path, one_processor: partial[None]
) -> None:
    arguments = (
        MLPERF / "ic" / "pretrainedResnet.h5",
        *("--representative", mlperf / "ic_calibration.npz"),
        *("--test", MLPERF / "ic" / "test.npz", "--train", MLPERF / "ic" / "train.npz"),
        *("--sparsity", 0.5, "--epochs", 2),
    )
    together = export(tmp_path / "together", *arguments)
    alone = export(tmp_path / "alone", *arguments, preexec_fn=one_processor)
    assert files(alone.folder) == files(together.folder)


def test_metrics_do_not_hang_on_the_threads_of_numpy() -> None:
    one, two = (
        python("-c", SCORE, env=os.environ | {"OPENBLAS_NUM_THREADS": threads}).stdout
        for threads in ("1", "2")
    )
    assert one == two != ""
