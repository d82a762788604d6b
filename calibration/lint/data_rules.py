"""Rules on the data alone, one function per rule; each docstring states what good data satisfy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from edgepack.calibration.lint import REPRESENTATIVE, LintFinding
from edgepack.calibration.lint.dataset_profile import Profile
from edgepack.core.wording import counted

_MAX_OUT_OF_RANGE = 0.1
"""The fraction of later samples that may exceed the range of a tensor."""

_MAX_DUPLICATES = 0.05
_MAX_OVERLAP = 0.01
"""Fractions of equal samples that occur in real datasets: silence is often recorded twice."""

_FEW_CHANNELS = 32
"""Up to this many channels, each is a quantity of its own; of more, some may be background."""

_MIN_BALANCE = 0.4
_MIN_EXPECTED = 10
_MAX_DEVIATION_RATIO = 8.0
_MAX_LISTED = 6


def few_samples(data: Profile) -> Iterator[LintFinding]:
    """Nine of ten later samples are within the ranges of the representative dataset.

    If samples are drawn independently from one distribution, each is as likely as any other to be
    the largest, or the smallest: the next one exceeds the range of n others with a probability of
    2 / (n + 1).
    """
    probability = 2 / (data.samples + 1)
    if data.role == REPRESENTATIVE and probability > _MAX_OUT_OF_RANGE:
        yield LintFinding(
            rule="few-samples",
            dataset=data.role,
            name=None,
            sentence=f"with {counted(data.samples, 'sample')}, the next one exceeds the measured"
            f" range of a tensor with a probability of {min(probability, 1):.0%}",
            cure="provide 100 or more (then it is 2%)",
        )


def duplicates(data: Profile) -> Iterator[LintFinding]:
    """At most one in twenty samples equals an earlier one."""
    repeated = data.samples - len(set(data.digests))
    if repeated > _MAX_DUPLICATES * data.samples:
        yield LintFinding(
            rule="duplicates",
            dataset=data.role,
            name=None,
            sentence=f"{repeated} of {data.samples} samples are duplicates of earlier ones",
            cure="remove them, and check how they got in",
        )


def constant_channels(data: Profile) -> Iterator[LintFinding]:
    """Every channel (last axis) of a float input varies.

    Of more than 32 channels, up to half may be constant: the border of an image is always
    background. Of an input of zeros and ones, all but one may be: positions of a mask that every
    sample uses, or none, and categories that no sample has. No sensor measures all of those.
    """
    for name, values in data.inputs.items():
        if data.samples == 1 or not values.dtype.startswith("float"):
            continue
        constant = np.flatnonzero(values.minimum == values.maximum)
        total = len(values.minimum)
        if values.is_binary and len(constant) < total:
            continue
        if len(constant) <= (0 if total <= _FEW_CHANNELS else total / 2):
            continue
        listed = ", ".join(f"{i} (always {values.minimum[i]:g})" for i in constant[:_MAX_LISTED])
        more = f" and {len(constant) - _MAX_LISTED} more" if len(constant) > _MAX_LISTED else ""
        description = (
            "has a single value" if total == 1 else f"is constant in channels {listed}{more}"
        )
        yield LintFinding(
            rule="constant-channels",
            dataset=data.role,
            name=name,
            sentence=f"{name!r} {description}"
            + (f", {len(constant)} of {total}" if total > 1 else f", {values.minimum[0]:g}"),
            cure="check for a sensor or column that was lost",
        )


def outlier(data: Profile) -> Iterator[LintFinding]:
    """No value of a single sample makes the range of a float input four times as wide."""
    for name, values in data.inputs.items():
        if data.role != REPRESENTATIVE or values.outlier is None:
            continue
        found, place = values.outlier.found, list(values.outlier.place)
        file = f" ({values.outlier.file})" if values.outlier.file else ""
        yield LintFinding(
            rule="outlier",
            dataset=data.role,
            name=name,
            sentence=f"{name!r} is {found.value:.5g} at {place}{file}, but from {found.low:.5g} to"
            f" {found.high:.5g} in all other samples: this sample alone widens the range",
            cure="look at this sample, and repair it; or leave it out, and values beyond the range"
            " of the others are clipped",
        )


def class_imbalance(data: Profile) -> Iterator[LintFinding]:
    """The labels are as diverse as 40% of the classes would be with equally many samples.

    The number of equally frequent classes with the same diversity is the exponential of the
    labels' entropy. No class is without samples where ten are expected on average.
    """
    for name, counts in data.classes.items():
        shares = counts[counts > 0] / data.samples
        effective_classes = float(np.exp(-(shares * np.log(shares)).sum()))
        possible = min(len(counts), data.samples)
        absent = np.flatnonzero(counts == 0)
        largest = int(counts.argmax())
        if effective_classes < 1 + _MIN_BALANCE * (possible - 1):
            sentence = (
                f"class {largest} of {name!r} has {counts[largest]} of {data.samples} samples: as"
                f" diverse as {effective_classes:.1f} equally frequent classes, but the model has"
                f" {len(counts)}"
            )
        elif len(absent) and data.samples >= _MIN_EXPECTED * len(counts):
            listed = ", ".join(map(str, absent[:_MAX_LISTED]))
            more = f" and {len(absent) - _MAX_LISTED} more" if len(absent) > _MAX_LISTED else ""
            noun = "class" if len(absent) == 1 else "classes"
            sentence = f"no sample belongs to {noun} {listed}{more} of {name!r}"
        else:
            continue
        yield LintFinding(
            rule="class-imbalance",
            dataset=data.role,
            name=name,
            sentence=sentence,
            cure="draw the same number of samples from each class",
        )


def overlap(representative: Profile, test: Profile) -> Iterator[LintFinding]:
    """At most one in a hundred test samples is also in the representative dataset."""
    known = set(representative.digests)
    shared = sum(digest in known for digest in test.digests)
    if shared > _MAX_OVERLAP * test.samples:
        yield LintFinding(
            rule="overlap",
            dataset=test.role,
            name=None,
            sentence=f"{shared} of {test.samples} samples are also in the representative dataset,"
            " which biases the comparison",
            cure="test on other samples",
        )


def other_scale(representative: Profile, test: Profile) -> Iterator[LintFinding]:
    """The standard deviations of an input in both datasets differ by a factor of less than 8."""
    for name, reference in representative.inputs.items():
        tested = test.inputs[name]
        if not reference.deviation or not tested.deviation:
            continue
        ratio = tested.deviation / reference.deviation
        if not 1 / _MAX_DEVIATION_RATIO < ratio < _MAX_DEVIATION_RATIO:
            yield LintFinding(
                rule="other-scale",
                dataset=test.role,
                name=name,
                sentence=f"the standard deviation of {name!r} is {tested.deviation:.3g}, but"
                f" {reference.deviation:.3g} in the representative dataset",
                cure="prepare both in the same way",
            )


RULES = (few_samples, duplicates, constant_channels, outlier, class_imbalance)
PAIR_RULES = (overlap, other_scale)


def lint_data(*profiles: Profile) -> list[LintFinding]:
    """Apply every rule to one dataset, or to the representative dataset and the test data."""
    findings = [finding for data in profiles for rule in RULES for finding in rule(data)]
    for representative, test in pairwise(profiles):
        findings += [finding for rule in PAIR_RULES for finding in rule(representative, test)]
    return findings
