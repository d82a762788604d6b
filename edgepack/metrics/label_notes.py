"""Notes on labels that could be understood in another way than they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from edgepack.core.signature import Signature
from edgepack.metrics.metric import Array, Family, Measure
from edgepack.storage.arrays import blocks
from edgepack.storage.dataset import Dataset, one_hot_classes

_BY_CLASS = (Family.CLASSIFICATION, Family.SEGMENTATION)
_SUM_TOLERANCE = 1e-3


def label_notes(
    measures: Mapping[str, Measure], dataset: Dataset, signature: Signature, role: str
) -> Iterator[str]:
    """Yield a note for labels that are read as class numbers or as values, where both look right.

    Another if an output has no labels, and there are arrays that may be meant as such.
    ``measures`` are the chosen ones by output; ``role`` names the data, such as "test".
    """
    labelled = {*measures, *dataset.labels}
    missing = [each.name for each in signature.outputs if each.name not in labelled]
    if missing and dataset.unused:
        names = [*missing, *(["y"] if len(signature.outputs) == 1 else [])]
        many = len(dataset.unused) > 1
        yield (
            f"the array{'s' * many} {', '.join(dataset.unused)} of the {role} data"
            f" {'are' if many else 'is'} not used: labels are called {' or '.join(names)}"
        )
    for output in signature.outputs:
        labels = dataset.labels.get(output.name)
        if labels is None or output.name not in measures or labels.ndim <= len(output.shape):
            continue
        metric = measures[output.name].metric
        of = f"the {role} labels" + (f" of {output.name}" if len(signature.outputs) > 1 else "")
        if metric.family in _BY_CLASS and one_hot_classes(labels) is not None:
            yield f"{of} are one-hot: each stands for the class of its 1"
        elif metric.family is Family.REGRESSION and len(output.shape) == 1:
            yield from (f"{of} {each}" for each in _of_values(labels, metric.name))


def _of_values(labels: Array, metric: str) -> Iterator[str]:
    """Yield what labels (samples, values) that look like those of classes are taken as."""
    if labels.shape[-1] < 2:  # noqa: PLR2004 (classes)
        return
    taken = f"they are taken as the outputs to reach, measured by {metric}"
    if one_hot_classes(labels) is not None:
        yield f"are one-hot, but {taken}; for their classes choose the metric 'accuracy'"
    elif all(np.isin(block, (0, 1)).all() for _, (block,) in blocks(labels)):
        yield (
            f"have rows without a single 1, so they name no class for each sample: {taken}; to"
            " measure several classes for each sample, name a function of yours with --metric"
        )
    elif all(_are_shares(block) for _, (block,) in blocks(labels)):
        yield f"are probabilities: {taken}; for accuracy save y.argmax(axis=1)"


def _are_shares(block: Array) -> bool:
    sums = block.sum(axis=-1)
    return bool(block.min() >= 0 and np.abs(sums - 1).max() <= _SUM_TOLERANCE)
