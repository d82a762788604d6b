"""Whether one quantized model agrees with float on fewer samples than another, or by chance."""

from __future__ import annotations

import numpy as np

from edgepack.evaluation.bootstrap import percentile_interval, sample_accuracy_losses
from edgepack.evaluation.paired_outputs import Array
from edgepack.evaluation.results import Change
from edgepack.evaluation.significance import mcnemar_p_value
from edgepack.metrics import decision_boundary, predicted_classes
from edgepack.storage.arrays import min_and_max


def agreeing_samples(of_float: Array, of_other: Array) -> Array:
    """Return which samples have the float model's class, bool (samples,), of class scores."""
    boundary = decision_boundary(min_and_max(of_float))
    agreeing: Array = predicted_classes(of_float, boundary) == predicted_classes(of_other, boundary)
    return agreeing


def is_agreement_lost(before: Array, after: Array) -> bool:
    """Whether more samples agreed before than after, and that is more than chance.

    >>> before, after = np.ones(64, bool), np.ones(64, bool)
    >>> after[:1] = False
    >>> is_agreement_lost(before, after)
    False
    >>> after[:12] = False
    >>> is_agreement_lost(before, after)
    True
    """
    only_before = int(np.count_nonzero(before & ~after))
    only_after = int(np.count_nonzero(after & ~before))
    lost = Change(
        loss=(only_before - only_after) / len(before),
        interval=percentile_interval(sample_accuracy_losses(only_before, only_after, len(before))),
        detectable=None,
        p_value=mcnemar_p_value(only_before, only_after),
    )
    return only_before > only_after and lost.is_real
