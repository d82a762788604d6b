"""Metrics of the user's own: ``module:function``, who names it, so it may run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from typing import Any

import numpy as np

from edgepack.core.errors import ConfigError
from edgepack.core.importing import calling, import_function
from edgepack.metrics.ground_truth import anything
from edgepack.metrics.metric import Array, Family, Metric, Unit
from edgepack.metrics.records import record_array

Function = Callable[[Array, Array], Any]


def user_metric(name: str) -> Metric:
    """Import a function from the path or the working folder, and make a metric of it.

    It is called with what was wanted, as ``y`` holds it, and the outputs, both (samples, ...), and
    gives a number; more is better unless it has a true attribute ``less_is_better``. Raises
    :class:`ConfigError` if there is no such function.
    """
    function = import_function(name, f"metric {name!r}", ConfigError)
    return Metric(
        name=name,
        title=name,
        family=Family.OWN,
        unit=Unit.PLAIN,
        is_more_better=not getattr(function, "less_is_better", False),
        wanted=partial(anything, name),
        condense=_both,
        value=partial(_values, name, function),
    )


def _both(outputs: Array, wanted: Array, boundary: float) -> Array:  # noqa: ARG001
    """Keep all of a sample: records (samples,), because what the function needs is not known."""
    return record_array({"wanted": wanted, "outputs": outputs})


def _values(name: str, function: Function, rows: Array, weights: Array) -> Array:
    """Call the function once for each line of weights, with samples as often as they count.

    A resample that it fails on, such as one without a class, cannot tell: NaN.
    """
    return np.array([_of_line(name, function, rows, line) for line in weights], np.float64)


def _of_line(name: str, function: Function, rows: Array, line: Array) -> float:
    if (line == 1).all():
        return _called(name, function, rows)
    try:
        return _called(name, function, np.repeat(rows, line))
    except ConfigError:
        return np.nan


def _called(name: str, function: Function, rows: Array) -> float:
    # Standard output is the report's alone.
    with calling(f"metric {name!r}", ConfigError), redirect_stdout(sys.stderr):
        given = function(rows["wanted"], rows["outputs"])
    number = np.asarray(given)
    if number.ndim or number.dtype.kind not in "biuf":
        raise ConfigError(
            f"metric {name!r}: gives a {type(given).__name__}; give one number for all samples"
        )
    return float(number)
