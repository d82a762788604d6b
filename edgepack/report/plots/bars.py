"""Bars by name, one for each series: the accuracy of each class, the sparsity of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from edgepack.report.format.text_table import NONE
from edgepack.report.plots.svg import (
    WIDTH,
    Scale,
    box,
    colour,
    distinct,
    drawing,
    extent,
    fit,
    is_number,
    legend,
    line,
    width_of,
    with_unit,
    write,
)

_BAR = 12
_GAP = 9
_MOST_LABEL = 120


def bars(
    id: str,  # noqa: A002 (as the attribute)
    groups: Sequence[tuple[str, Sequence[float | None]]],
    series: Sequence[str],
    *,
    unit: str,
    most: float | None = None,
) -> Element:
    """Draw horizontal bars: a group for each name, in it a value for each of ``series``.

    Values are in ``unit``, written behind each; ``most`` is where the axis ends, the largest value
    if None. A value that is None or no number is a dash.
    """
    values = [value for _, each in groups for value in each]
    low, high = extent([*values, 0.0, most])
    labels = distinct([name for name, _ in groups])
    names = min(max(map(width_of, labels), default=0), _MOST_LABEL)
    said = [_said(value, unit) for value in values if is_number(value)]
    ends = max(map(width_of, said), default=9)
    along = Scale(min(low, 0), high, names + 8, WIDTH - ends - 6)
    drawn, y = legend(series) if len(series) > 1 else ([], 2)
    top = y
    for label, (name, each) in zip(labels, groups, strict=True):
        height = _BAR * max(len(each), 1)
        words = write(names, y + height / 2 + 4, fit(label, names), "label", anchor="end")
        drawn.append(words)
        for index, value in enumerate(each):
            drawn += _bar(y + index * _BAR, value, unit, along, index, f"{name}, {series[index]}")
        y += height + _GAP
    drawn.append(line(along(0), top - 2, along(0), y - _GAP + 2, "axis"))
    return drawing(id, y, drawn)


def _said(value: float, unit: str) -> str:
    return f"{value:.1f}%" if unit == "%" else with_unit(value, unit)


def _bar(
    y: float, value: float | None, unit: str, along: Scale, index: int, name: str
) -> list[Element]:
    zero = along(0)
    if not is_number(value):
        return [write(zero + 4, y + 9, NONE, "value", anchor="start")]
    end = min(max(along(value), along.start), along.end)
    said = _said(value, unit)
    left, right = min(zero, end), max(zero, end)
    return [
        box(left, y + 0.5, right - left, _BAR - 1, colour(index), f"{name}: {said}"),
        write(right + 4, y + 9, said, "value", anchor="start"),
    ]
