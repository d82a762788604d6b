"""User-defined metrics: a ``module:function`` that the user names, and so allows to run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from typing import Any

import numpy as np

from edgepack.core.errors import ConfigError
from edgepack.core.user_code import import_function, user_code_errors
from edgepack.metrics.ground_truth import any_labels
from edgepack.metrics.metric import Array, Family, Metric, Unit
from edgepack.metrics.records import record_array

Function = Callable[[Array, Array], Any]


def user_metric(name: str) -> Metric:
    """Import a function from the Python path or the working folder, and make it a metric.

    It is called with the targets, as stored in ``y``, and the outputs, both (samples, ...), and
    returns a number. Higher is better unless the function has a true attribute ``less_is_better``.
    Raises :class:`ConfigError` if there is no such function.
    """
    function = import_function(name, f"metric {name!r}", ConfigError)
    return Metric(
        name=name,
        title=name,
        family=Family.OWN,
        unit=Unit.PLAIN,
        is_more_better=not getattr(function, "less_is_better", False),
        wanted=partial(any_labels, name),
        condense=_targets_and_outputs,
        value=partial(_values, name, function),
    )


def _targets_and_outputs(outputs: Array, targets: Array, boundary: float) -> Array:  # noqa: ARG001
    """Return records (samples,) of everything: what the function needs is not known."""
    return record_array({"targets": targets, "outputs": outputs})


def _values(name: str, function: Function, rows: Array, weights: Array) -> Array:
    """Call the function once for each line of weights, with samples repeated by their weights.

    NaN for a resample that it fails on, such as one that lacks a class.
    """
    return np.array([_resampled_value(name, function, rows, line) for line in weights], np.float64)


def _resampled_value(name: str, function: Function, rows: Array, line: Array) -> float:
    if (line == 1).all():
        return _call(name, function, rows)
    try:
        return _call(name, function, np.repeat(rows, line))
    except ConfigError:
        return np.nan


def _call(name: str, function: Function, rows: Array) -> float:
    # Standard output is reserved for the report.
    with user_code_errors(f"metric {name!r}", ConfigError), redirect_stdout(sys.stderr):
        result = function(rows["targets"], rows["outputs"])
    number = np.asarray(result)
    if number.ndim or number.dtype.kind not in "biuf":
        raise ConfigError(
            f"metric {name!r}: returned a {type(result).__name__}; return one number for all"
            " samples"
        )
    return float(number)
