"""Metrics, intervals, times and sizes as text, the same in the terminal and on the page.

None is written as ``NONE``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from edgepack.config.budgets import LOSS_BUDGETS, Budgets
from edgepack.core.findings import Finding
from edgepack.core.wording import counted
from edgepack.evaluation.drop_sentences import MIN_P, decimals_of
from edgepack.evaluation.results import MetricResult
from edgepack.evaluation.scores import OutputComparison, Score
from edgepack.metrics.metric import Unit
from edgepack.report.format.text_table import NONE, list_names

_LARGE = 1000
_SMALL = 0.001
_LONG_MS = 100
_PLACES = 2  # decimals
UNITS = {Unit.FRACTION: " points", Unit.ERROR: "%", Unit.DECIBELS: " dB", Unit.PLAIN: ""}


def format_metric(metric: MetricResult, *, interval: bool = True) -> str:
    """Format a metric's value, with its interval if there is one and ``interval`` is True.

    >>> from edgepack.evaluation.results import Interval
    >>> format_metric(MetricResult(
    ...     name="accuracy", title="accuracy", unit="fraction", is_more_better=True,
    ...     value=0.9, interval=Interval(low=0.85, high=0.94), change=None))
    '0.9000 (0.8500 to 0.9400)'
    """
    value = _with_unit(metric.value, metric.unit)
    if metric.interval is None or not interval:
        return value
    low, high = (
        _with_unit(end, metric.unit).removesuffix(UNITS[Unit.DECIBELS])
        for end in (metric.interval.low, metric.interval.high)
    )
    return f"{value} ({low} to {high})"


def format_loss(metric: MetricResult, *, interval: bool = True) -> str:
    """Format what a metric loses against the float model, negative for a gain.

    Fractions are in percentage points, errors in percent.
    """
    change = metric.change
    if change is None or change.loss is None:
        return NONE
    unit = UNITS[Unit(metric.unit)]
    if change.interval is None or not interval:
        return f"{_decimals(change.loss)}{unit}"
    places = decimals_of(change)
    ends = (change.loss, change.interval.low, change.interval.high)
    loss, low, high = (_decimals(end, places) for end in ends)
    return f"{loss}{unit} ({low} to {high})"


def format_p_value(metric: MetricResult) -> str:
    """Format McNemar's p."""
    p_value = metric.change.p_value if metric.change else None
    if p_value is None:
        return NONE
    return f"{p_value:.4f}" if p_value >= MIN_P else f"< {MIN_P}"


def interpreter_label(output: OutputComparison, name: str) -> str:
    """Return an interpreter's name, with the number of samples if it did not run all."""
    sampled = output.sampled.get(name)
    return sampled_label(name, sampled.samples if sampled else None)


def sampled_label(name: str, samples: int | None) -> str:
    """Return an interpreter's name, with the number of samples; None if it ran all.

    >>> sampled_label("tflm", 1200), sampled_label("litert", None)
    ('tflm (1,200 samples)', 'litert')
    """
    return name if samples is None else f"{name} ({counted(samples, 'sample')})"


def score_cells(score: Score | None) -> list[str]:
    """Return the cells of a score: metric, agreement, SQNR and max error."""
    if score is None:
        return [NONE] * 4
    return [
        format_four_decimals(score.value),
        format_percent(score.agreement),
        format_decibels(score.sqnr_db),
        format_three_digits(score.max_abs_error),
    ]


def format_percent(fraction: float | None) -> str:
    """Format a fraction as a percentage.

    >>> format_percent(0.985)
    '98.50%'
    """
    return NONE if fraction is None else f"{fraction:.2%}"


def format_decibels(ratio: float | None) -> str:
    """Format a ratio in dB."""
    return NONE if ratio is None else f"{ratio:.1f} dB"


def format_three_digits(figure: float | None) -> str:
    """Format a number with three significant digits."""
    return NONE if figure is None else f"{figure:.3g}"


def format_bytes(size: float | None) -> str:
    """Format a size in bytes, with its unit."""
    return NONE if size is None else f"{size:,} B"


def format_four_decimals(figure: float | None) -> str:
    """Format a number, such as a metric's value, with four decimals, or more if it is small.

    >>> format_four_decimals(0.9), format_four_decimals(0.0), format_four_decimals(0.00071234)
    ('0.9000', '0.0000', '0.000712')
    """
    if figure is None:
        return NONE
    return f"{figure:.3g}" if 0 < abs(figure) < _SMALL else f"{figure:.4f}"


def format_count(whole: float | None) -> str:
    """Format a whole number with thousands separators."""
    return NONE if whole is None else f"{whole:,}"


def format_milliseconds(time: float) -> str:
    """Format a time in ms: three significant digits, or whole milliseconds from 100 ms on.

    >>> format_milliseconds(0.00039), format_milliseconds(99.97), format_milliseconds(1234.5)
    ('0.000390 ms', '100 ms', '1,234 ms')
    """
    if time >= _LONG_MS:
        return f"{time:,.0f} ms"
    return f"{time:#.3g}".rstrip(".") + " ms"


def format_kept_budgets(
    budgets: Mapping[str, Budgets], findings: Iterable[Finding]
) -> Iterator[str]:
    """Describe limits of a loss, by source, that nothing among the findings breaks.

    >>> budgets = {"the command": Budgets(max_drop=1, min_sqnr=20)}
    >>> list(format_kept_budgets(budgets, []))
    ['within max_drop 1, min_sqnr 20 of the command']
    >>> not_shown = Finding(message="", budget="max_drop 1 of the command", is_note=True)
    >>> list(format_kept_budgets(budgets, [not_shown]))
    ['within min_sqnr 20 of the command', 'max_drop 1 of the command is not shown, which passes']
    """
    not_shown = list(dict.fromkeys(each.budget for each in findings if each.budget))
    for source, each in budgets.items():
        limits = {name: getattr(each, name) for name in LOSS_BUDGETS}
        names = [f"{name} {limit:g}" for name, limit in limits.items() if limit is not None]
        if kept := [name for name in names if f"{name} of {source}" not in not_shown]:
            yield f"within {list_names(kept)} of {source}"
    yield from (f"{budget} is not shown, which passes" for budget in not_shown)


def _with_unit(figure: float | None, unit: str) -> str:
    if figure is None or unit == Unit.FRACTION:
        return format_four_decimals(figure)
    return f"{figure:.2f} dB" if unit == Unit.DECIBELS else f"{figure:.4g}"


def _decimals(figure: float, places: int = _PLACES) -> str:
    """Format with ``places`` decimals, or four digits from 1000 on, and no negative zero."""
    if abs(figure) >= _LARGE:
        return f"{figure:.4g}"
    return f"{round(figure, places) or 0.0:.{places}f}"
