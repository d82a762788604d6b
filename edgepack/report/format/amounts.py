"""Metrics, intervals, times and sizes, in words: the same in the terminal and on the page."""

from __future__ import annotations

from edgepack.evaluation.drop_sentences import LEAST_P, decimals_of
from edgepack.evaluation.results import Interval, MetricResult
from edgepack.evaluation.scores import OutputComparison, Score
from edgepack.metrics.metric import Unit
from edgepack.report.format.text_table import NONE

_LARGE = 1000
_LONG_MS = 100
_PLACES = 2
UNITS = {Unit.FRACTION: " points", Unit.ERROR: "%", Unit.DECIBELS: " dB", Unit.PLAIN: ""}


def value(metric: MetricResult, *, interval: bool = True) -> str:
    """Write a metric's value, with its interval if there is one.

    >>> value(MetricResult(name="accuracy", title="accuracy", unit="fraction", is_more_better=True,
    ...     value=0.9, interval=Interval(low=0.85, high=0.94), change=None))
    '0.9000 (0.8500 to 0.9400)'
    """
    told = _value(metric.value, metric.unit)
    if metric.interval is None or not interval:
        return told
    low, high = (
        _value(end, metric.unit).removesuffix(UNITS[Unit.DECIBELS])
        for end in (metric.interval.low, metric.interval.high)
    )
    return f"{told} ({low} to {high})"


def loss(metric: MetricResult, *, interval: bool = True) -> str:
    """Write what a metric loses from the float model, a gain being negative."""
    change = metric.change
    if change is None or change.loss is None:
        return NONE
    unit = UNITS[Unit(metric.unit)]
    if change.interval is None or not interval:
        return f"{_decimals(change.loss)}{unit}"
    places = max(decimals_of(change), _PLACES)
    ends = (change.loss, change.interval.low, change.interval.high)
    told, low, high = (_decimals(end, places) for end in ends)
    return f"{told}{unit} ({low} to {high})"


def span(interval: Interval | None) -> str:
    """Write an interval as its two ends.

    >>> span(Interval(low=-0.4, high=1.0))
    '-0.40 to 1.00'
    """
    if interval is None:
        return NONE
    return f"{_decimals(interval.low)} to {_decimals(interval.high)}"


def p_value(metric: MetricResult) -> str:
    """Write McNemar's p."""
    found = metric.change.p_value if metric.change else None
    if found is None:
        return NONE
    return f"{found:.4f}" if found >= LEAST_P else f"< {LEAST_P}"


def interpreter(output: OutputComparison, name: str) -> str:
    """Name an interpreter, and how many samples it ran if those were not all."""
    some = output.sampled.get(name)
    return f"{name} ({some.samples:,} samples)" if some else name


def cells(score: Score | None) -> list[str]:
    """Write a score: the metric, the agreement, the SQNR and the largest error."""
    if score is None:
        return [NONE] * 4
    return [
        number(score.value),
        fraction(score.agreement),
        decibels(score.sqnr_db),
        plain(score.max_abs_error),
    ]


def fraction(share: float | None) -> str:
    """Write a fraction as percent.

    >>> fraction(0.985)
    '98.50%'
    """
    return NONE if share is None else f"{share:.2%}"


def decibels(ratio: float | None) -> str:
    """Write a ratio in dB."""
    return NONE if ratio is None else f"{ratio:.1f} dB"


def plain(figure: float | None) -> str:
    """Write a number in three significant digits."""
    return NONE if figure is None else f"{figure:.3g}"


def bytes_of(size: float | None) -> str:
    """Write a size."""
    return NONE if size is None else f"{size:,} B"


def number(figure: float | None) -> str:
    """Write a metric's value."""
    return NONE if figure is None else f"{figure:.4f}"


def count(whole: float | None) -> str:
    """Write a whole number, such as one of bytes."""
    return NONE if whole is None else f"{whole:,}"


def milliseconds(time: float) -> str:
    """Write a time in three significant digits, or whole milliseconds.

    >>> milliseconds(0.00039), milliseconds(99.97), milliseconds(1234.5)
    ('0.000390 ms', '100 ms', '1,234 ms')
    """
    if time >= _LONG_MS:
        return f"{time:,.0f} ms"
    return f"{time:#.3g}".rstrip(".") + " ms"


def _value(figure: float | None, unit: str) -> str:
    if figure is None or unit == Unit.FRACTION:
        return number(figure)
    return f"{figure:.2f} dB" if unit == Unit.DECIBELS else f"{figure:.4g}"


def _decimals(figure: float, places: int = _PLACES) -> str:
    """Write some decimals, of large numbers four digits, and no minus before a zero."""
    if abs(figure) >= _LARGE:
        return f"{figure:.4g}"
    return f"{round(figure, places) or 0.0:.{places}f}"
