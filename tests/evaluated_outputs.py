"""Metrics, tensors and outputs for tests of the evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import softmax

from edgepack.metrics import predicted_classes
from edgepack.metrics.metric import Family, Metric, Unit, weighted_mean
from edgepack.tflite.graph import QuantParams, Tensor

Array = np.ndarray


def metric(
    condense: Callable[[Array, Array, float], Array],
    value: Callable[[Array, Array], Array] = weighted_mean,
    **fields: Any,
) -> Metric:
    return Metric(
        **{
            "name": "accuracy",
            "title": "accuracy",
            "family": Family.CLASSIFICATION,
            "unit": Unit.FRACTION,
            "is_more_better": True,
            "wanted": lambda _dataset, _output: np.zeros(1),
            "condense": condense,
            "value": value,
            **fields,
        }
    )


def r2(rows: Array, weights: Array) -> Array:
    total = weights.sum(axis=1)
    mean = weights @ rows[:, 1] / total
    total_squares = weights @ np.square(rows[:, 1]) - total * mean**2
    return 1 - weights @ rows[:, 0] / total_squares


ACCURACY = metric(
    lambda outputs, targets, boundary: predicted_classes(outputs, boundary) == targets
)
MSE = metric(
    lambda outputs, targets, _: np.square(outputs - targets).mean(axis=1),
    name="mse",
    family=Family.REGRESSION,
    unit=Unit.ERROR,
    is_more_better=False,
)
R2 = metric(
    lambda outputs, targets, _: np.column_stack([np.square(outputs - targets), targets]),
    r2,
    name="r2",
    family=Family.REGRESSION,
)
INT8 = Tensor(
    name="y",
    shape=(1, 3),
    dtype="int8",
    quant=QuantParams(scale=(1 / 256,), zero_point=(-128,)),
    data=b"",
)


def scores(samples: int, count: int = 3, seed: int = 0) -> Array:
    logits = np.random.default_rng(seed).normal(scale=2, size=(samples, count))
    return softmax(logits, axis=1).astype(np.float32)
