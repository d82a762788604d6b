"""What can be told from the data alone: one rule, one function; its docstring says what holds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from edgepack.calibration.lint import REPRESENTATIVE, LintFinding
from edgepack.calibration.lint.dataset_profile import Profile
from edgepack.core.wording import counted

_LEAVING = 0.1
"""The fraction of later samples that may leave the range of a tensor."""

_DUPLICATES = 0.05
_OVERLAP = 0.01
"""Fractions of equal samples that real datasets reach: silence is often recorded twice."""

_FEW_CHANNELS = 32
"""Up to so many channels each is a quantity of its own; beyond, some may be mere background."""

_BALANCE = 0.4
_EXPECTED = 10
_RATIO = 8.0
_NAMED = 6


def few_samples(data: Profile) -> Iterator[LintFinding]:
    """Nine of ten later samples lie within the ranges that the representative dataset shows.

    If samples are drawn alike, each is as likely as any other to be the largest, or the smallest:
    the next one goes beyond n others with a probability of 2 / (n + 1).
    """
    leaving = 2 / (data.samples + 1)
    if data.role == REPRESENTATIVE and leaving > _LEAVING:
        yield LintFinding(
            rule="few-samples",
            dataset=data.role,
            name=None,
            sentence=f"with {counted(data.samples, 'sample')} the next one leaves the measured"
            f" range of a tensor with a probability of {min(leaving, 1):.0%}",
            cure="give 100 or more (then it is 2%)",
        )


def duplicates(data: Profile) -> Iterator[LintFinding]:
    """No more than one of twenty samples equals an earlier one."""
    again = data.samples - len(set(data.digests))
    if again > _DUPLICATES * data.samples:
        yield LintFinding(
            rule="duplicates",
            dataset=data.role,
            name=None,
            sentence=f"{again} of {data.samples} samples equal an earlier one",
            cure="leave them out, and look how they came in",
        )


def constant_channels(data: Profile) -> Iterator[LintFinding]:
    """Each channel (last axis) of an input in float changes, as the others do.

    Of more than 32 channels, up to half may not: the border of an image is always background.
    """
    for name, values in data.inputs.items():
        if data.samples == 1 or not values.dtype.startswith("float"):
            continue
        constant = np.flatnonzero(values.minimum == values.maximum)
        total = len(values.minimum)
        if len(constant) <= (0 if total <= _FEW_CHANNELS else total / 2):
            continue
        found = ", ".join(f"{i} (always {values.minimum[i]:g})" for i in constant[:_NAMED])
        more = f" and {len(constant) - _NAMED} more" if len(constant) > _NAMED else ""
        said = (
            "has one value only" if total == 1 else f"never changes in the channels {found}{more}"
        )
        yield LintFinding(
            rule="constant-channels",
            dataset=data.role,
            name=name,
            sentence=f"{name!r} {said}"
            + (f", {len(constant)} of {total}" if total > 1 else f", {values.minimum[0]:g}"),
            cure="look for a sensor or column that was lost on the way",
        )


def class_imbalance(data: Profile) -> Iterator[LintFinding]:
    """The classes have samples enough to be as good as 40 % of them in equal numbers.

    So many are the exponential of the labels' entropy. No class is without samples where ten
    would be expected.
    """
    for name, counts in data.classes.items():
        shares = counts[counts > 0] / data.samples
        effective = float(np.exp(-(shares * np.log(shares)).sum()))
        possible = min(len(counts), data.samples)
        absent = np.flatnonzero(counts == 0)
        largest = int(counts.argmax())
        if effective < 1 + _BALANCE * (possible - 1):
            sentence = (
                f"class {largest} of {name!r} has {counts[largest]} of {data.samples} samples: as"
                f" varied as {effective:.1f} equal classes, and the model knows {len(counts)}"
            )
        elif len(absent) and data.samples >= _EXPECTED * len(counts):
            found = ", ".join(map(str, absent[:_NAMED]))
            more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
            sentence = f"no sample is of the classes {found}{more} of {name!r}"
        else:
            continue
        yield LintFinding(
            rule="class-imbalance",
            dataset=data.role,
            name=name,
            sentence=sentence,
            cure="draw as many samples of each class",
        )


def overlap(representative: Profile, test: Profile) -> Iterator[LintFinding]:
    """No more than one of a hundred test samples is in the representative dataset."""
    known = set(representative.digests)
    found = sum(digest in known for digest in test.digests)
    if found > _OVERLAP * test.samples:
        yield LintFinding(
            rule="overlap",
            dataset=test.role,
            name=None,
            sentence=f"{found} of {test.samples} samples are in the representative dataset too,"
            " which flatters the comparison",
            cure="test on other samples",
        )


def other_scale(representative: Profile, test: Profile) -> Iterator[LintFinding]:
    """An input's standard deviation in the test data is within a factor 8 of the representative."""
    for name, given in representative.inputs.items():
        tested = test.inputs[name]
        if not given.deviation or not tested.deviation:
            continue
        ratio = tested.deviation / given.deviation
        if not 1 / _RATIO < ratio < _RATIO:
            yield LintFinding(
                rule="other-scale",
                dataset=test.role,
                name=name,
                sentence=f"the standard deviation of {name!r} is {tested.deviation:.3g}, in the"
                f" representative dataset {given.deviation:.3g}",
                cure="prepare both in the same way",
            )


RULES = (few_samples, duplicates, constant_channels, class_imbalance)
PAIR_RULES = (overlap, other_scale)


def lint_data(*profiles: Profile) -> list[LintFinding]:
    """Apply every rule to the representative dataset, or the test data, or to both in order."""
    findings = [finding for data in profiles for rule in RULES for finding in rule(data)]
    for representative, test in pairwise(profiles):
        findings += [finding for rule in PAIR_RULES for finding in rule(representative, test)]
    return findings
