"""Whether one quantized model agrees with float on fewer samples than another, or by chance."""

from __future__ import annotations

from edgepack.evaluation.metric_change import accuracy_change
from edgepack.evaluation.paired_outputs import Array
from edgepack.metrics import decision_boundary, predicted_classes
from edgepack.storage.arrays import min_and_max


def agreeing_samples(of_float: Array, of_other: Array) -> Array:
    """Return which samples have the float model's class, bool (samples,), of class scores."""
    boundary = decision_boundary(min_and_max(of_float))
    agreeing: Array = predicted_classes(of_float, boundary) == predicted_classes(of_other, boundary)
    return agreeing


def is_agreement_lost(before: Array, after: Array) -> bool:
    """Whether more samples agreed before than after, and that is more than chance.

    >>> import numpy as np
    >>> before, after = np.ones(64, bool), np.ones(64, bool)
    >>> after[:1] = False
    >>> is_agreement_lost(before, after)
    False
    >>> after[:12] = False
    >>> is_agreement_lost(before, after)
    True
    """
    loss = 100 * float(before.mean() - after.mean())
    return loss > 0 and accuracy_change(loss, before, after).is_real
