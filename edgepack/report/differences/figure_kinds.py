"""Figures and their kinds: which way is better, and how reports print them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from edgepack.metrics.metric import Unit
from edgepack.report.data.target import EXIT_STATUS
from edgepack.report.differences.read_report import Node
from edgepack.report.format import amounts

_WHOLE_STEPS = 10

Plain = float | str | None
Value = Plain | tuple[str, ...]


class Group(str, Enum):
    """Groups of figures, the most important first."""

    VERDICT = "verdict"
    METRIC = "metric"
    SIZE = "size"
    REST = "rest"


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """A kind of figure: its unit, how reports print it, and which way is better.

    ``better`` is 1 if more is better, -1 if less is better, 0 if neither. ``ranks`` are the values
    of a text, from worst to best. ``show`` formats a value, and ``change`` a difference; if that is
    None, only the percentage is shown.
    """

    unit: str
    better: int = 0
    ranks: tuple[str, ...] = ()
    show: Callable[[float], str] = "{:g}".format
    change: Callable[[float], str] | None = None


def _points(change: float) -> str:
    return f"{100 * change:+.2f} points"


def _decibels(change: float) -> str:
    return f"{change:+.3g} dB"


def _steps(number: float) -> str:
    return f"{number:,.0f} LSB" if number >= _WHOLE_STEPS else f"{number:.2g} LSB"


def _mebibytes(number: float) -> str:
    return f"{number / (1 << 20):,.0f} MiB"


def _bytes(change: float) -> str:
    return f"{change:+,} B"


RUNS, FAILS = "runs", "fails"
IDENTICAL, ANOTHER = "the same model", "another model"

VERDICT = FigureKind(unit="verdict", ranks=tuple(word.lower() for word in EXIT_STATUS))
RUN = FigureKind(unit="run", ranks=(FAILS, RUNS))
REASONS = FigureKind(unit="reason", better=-1)
FRACTION = FigureKind(unit="fraction", better=1, show=amounts.format_four_decimals, change=_points)
ERROR = FigureKind(unit="error", better=-1, show="{:.5g}".format)
VALUE = FigureKind(unit="value", show="{:.5g}".format)
AGREEMENT = FigureKind(unit="fraction", better=1, show=amounts.format_percent, change=_points)
SQNR = FigureKind(unit="dB", better=1, show=amounts.format_decibels, change=_decibels)
MAX_ERROR = FigureKind(unit="error", better=-1, show=amounts.format_three_digits)
BYTES = FigureKind(unit="bytes", better=-1, show=amounts.format_bytes, change=_bytes)
CYCLES = FigureKind(unit="cycles", better=-1, show=amounts.format_count, change="{:+,}".format)
ZEROS = FigureKind(unit="fraction", show="{:.1%}".format, change=_points)
STEPS = FigureKind(unit="LSB", show=_steps)
TIME = FigureKind(unit="ms", show=amounts.format_milliseconds)
MEMORY = FigureKind(unit="bytes", show=_mebibytes)
DIVERGENCE = FigureKind(unit="nats", better=-1, show=amounts.format_three_digits)
CONTENT = FigureKind(unit="content", ranks=(ANOTHER, IDENTICAL))
COUNT = FigureKind(unit="count", show=amounts.format_count, change="{:+,}".format)
SETTING = FigureKind(unit="setting")


_METRIC_KINDS: dict[str | None, FigureKind] = {
    Unit.FRACTION: FRACTION,
    Unit.ERROR: ERROR,
    Unit.DECIBELS: FigureKind(unit="dB", show="{:.2f} dB".format, change=_decibels),
}
_LOSS_KINDS: dict[str | None, FigureKind] = {
    Unit.FRACTION: FigureKind(
        unit="points", better=-1, show="{:.2f} points".format, change="{:+.2f} points".format
    ),
    Unit.ERROR: FigureKind(unit="percent", better=-1, show="{:.2f}%".format),
    Unit.DECIBELS: FigureKind(unit="dB", better=-1, show="{:.2f} dB".format, change=_decibels),
}


def metric_kind(unit: str | None, *, is_more_better: bool | None) -> FigureKind:
    """Return the kind of a metric's values.

    If ``is_more_better`` is None, as the report lacks it, neither way is better.
    """
    better = 0 if is_more_better is None else 1 if is_more_better else -1
    return replace(_METRIC_KINDS.get(unit, VALUE), better=better)


def loss_kind(unit: str | None) -> FigureKind:
    """Return the kind of a metric's loss, by the unit of its values."""
    return _LOSS_KINDS.get(unit, replace(VALUE, better=-1))


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a report; ``what`` is its name, the same in all reports.

    A tuple as ``value`` is a set of texts; ``checks`` names the check that a text is from, with the
    operator and the layer, where the report has them: other versions of edgepack may word it
    differently.
    """

    group: Group
    what: str
    kind: FigureKind
    value: Value
    checks: Mapping[str, str] = field(default_factory=dict)


def verdict_figure(what: str, kind: FigureKind, value: Value) -> Figure:
    """Return a figure that decides whether a model passes."""
    return Figure(group=Group.VERDICT, what=what, kind=kind, value=value)


def metric_figure(what: str, kind: FigureKind, value: Node) -> Figure:
    """Return a figure of the quality of outputs."""
    return Figure(group=Group.METRIC, what=what, kind=kind, value=value.number())


def size_figure(what: str, value: Node) -> Figure:
    """Return a figure in bytes."""
    return Figure(group=Group.SIZE, what=what, kind=BYTES, value=value.number())


def other_figure(what: str, kind: FigureKind, value: Value) -> Figure:
    """Return any other figure, which is listed last."""
    return Figure(group=Group.REST, what=what, kind=kind, value=value)
