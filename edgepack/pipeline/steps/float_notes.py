"""Notes on a float model that tells nothing of its samples, before anything is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgepack.calibration.lint.label_rules import CURE_OF_ORDER, find_reordering
from edgepack.core.wording import WARNING, counted
from edgepack.evaluation.collapse import is_constant
from edgepack.evaluation.guessing import find_guessing
from edgepack.evaluation.paired_outputs import Array
from edgepack.metrics import Family, Measure

LABEL_ORDER = "label-order"
"""The linter's rule on the order of classes, which looks at some of the samples."""


def float_model_notes(
    outputs: Mapping[str, Array],
    measures: Mapping[str, Measure],
    classes: Sequence[str] = (),
    *,
    model: str = "the float model",
    is_order_known: bool = False,
) -> Iterator[str]:
    """Yield a warning for each output that is constant, misunderstood by the labels, or guessed.

    ``outputs`` are real values (samples, ...) by name; ``classes`` are the names of the labels'
    classes, if known; ``model`` is what computed them. ``is_order_known`` says that labels in
    another order were already reported.
    """
    for name, values in outputs.items():
        where = f" on the output {name!r}" if len(outputs) > 1 else ""
        if is_constant(values):
            yield (
                f"{WARNING}the output {name!r} of {model} is the same for every sample, so nothing"
                " can be lost there: check the model and the data"
            )
            continue
        measure = measures.get(name)
        if measure is None or measure.metric.family is not Family.CLASSIFICATION:
            continue
        labels = measure.wanted[:]
        if found := find_reordering(values, labels):
            if not is_order_known:
                yield f"{WARNING}{found.sentence(classes)}; {CURE_OF_ORDER}"
        elif guessed := find_guessing(values, labels):
            yield (
                f"{WARNING}{model} itself is right no more often than by guessing{where}: accuracy"
                f" {guessed.accuracy:.1%}, chance {guessed.chance:.1%}, on"
                f" {counted(guessed.samples, 'sample')}; check the labels and the data"
            )
