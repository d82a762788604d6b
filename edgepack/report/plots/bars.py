"""Bar charts of groups with one bar per series, such as the recall of each class."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from edgepack.report.format.text_table import NONE
from edgepack.report.plots.svg import (
    WIDTH,
    Scale,
    distinct_names,
    extent,
    fit_text,
    is_finite_number,
    legend_elements,
    line_element,
    number_with_unit,
    rectangle_element,
    series_class,
    svg_element,
    text_element,
    text_width,
)

_BAR = 12
_GAP = 9
_MAX_LABEL = 120


def bar_plot(
    id: str,  # noqa: A002 (as the attribute)
    groups: Sequence[tuple[str, Sequence[float | None]]],
    series: Sequence[str],
    *,
    unit: str,
    most: float | None = None,
) -> Element:
    """Draw horizontal bars: a group is a name and a value for each of ``series``.

    Values are in ``unit``, and written next to their bars. ``most`` is the end of the axis, the
    largest value if None. A value that is None or not finite is a dash.
    """
    values = [value for _, each in groups for value in each]
    low, high = extent([*values, 0.0, most])
    labels = distinct_names([name for name, _ in groups])
    names = min(max(map(text_width, labels), default=0), _MAX_LABEL)
    written = [_value_label(value, unit) for value in values if is_finite_number(value)]
    widest = max(map(text_width, written), default=9)
    along = Scale(min(low, 0), high, names + 8, WIDTH - widest - 6)
    drawn, y = legend_elements(series) if len(series) > 1 else ([], 2)
    top = y
    for label, (name, each) in zip(labels, groups, strict=True):
        height = _BAR * max(len(each), 1)
        middle = y + height / 2
        drawn.append(text_element(names, middle + 4, fit_text(label, names), "label", anchor="end"))
        for index, value in enumerate(each):
            drawn += _bar(y + index * _BAR, value, unit, along, index, f"{name}, {series[index]}")
        y += height + _GAP
    drawn.append(line_element(along(0), top - 2, along(0), y - _GAP + 2, "axis"))
    return svg_element(id, y, drawn)


def _value_label(value: float, unit: str) -> str:
    return f"{value:.1f}%" if unit == "%" else number_with_unit(value, unit)


def _bar(
    y: float, value: float | None, unit: str, along: Scale, index: int, name: str
) -> list[Element]:
    zero = along(0)
    if not is_finite_number(value):
        return [text_element(zero + 4, y + 9, NONE, "value", anchor="start")]
    end = min(max(along(value), along.start), along.end)
    label = _value_label(value, unit)
    left, right = min(zero, end), max(zero, end)
    return [
        rectangle_element(
            left, y + 0.5, right - left, _BAR - 1, series_class(index), f"{name}: {label}"
        ),
        text_element(right + 4, y + 9, label, "value", anchor="start"),
    ]
