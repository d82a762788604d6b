"""Line plots over the layers of a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from xml.etree.ElementTree import Element

from edgepack.report.format.markup import element
from edgepack.report.plots.svg import (
    SERIES,
    WIDE,
    WIDTH,
    Scale,
    distinct_names,
    extent,
    fit_text,
    is_finite_number,
    legend_elements,
    line_element,
    number_with_unit,
    series_class,
    svg_element,
    text_element,
    text_width,
    ticks,
)

_MANY = 30  # with more layers the plot is wide
_TALL = 150.0
_LEFT = 48.0
_NAME = 80.0
_SPACING = 12.0  # least distance of slanted names
_SLANT = 50


def layer_line_plot(
    id: str,  # noqa: A002 (as the attribute)
    names: Sequence[str],
    lines: Sequence[tuple[str, Sequence[float | None]]],
    *,
    unit: str,
) -> Element:
    """Draw lines of values, in ``unit``, over the layers ``names``.

    A line is a name and a value for each layer, with a gap where that is None or not finite. Every
    name is written, or every second, third and so on, as far as they fit.
    """
    width = WIDTH if len(names) <= _MANY else WIDE
    drawn, above = legend_elements([name for name, _ in lines], width, "l")
    top, bottom = above + 8, above + 8 + _TALL
    low, high = extent([value for _, values in lines for value in values] + [0.0])
    across = Scale(0, max(len(names) - 1, 1), _LEFT + 8, width - 10)
    up = Scale(low, high, bottom, top)
    for tick in ticks(low, high):
        drawn.append(line_element(_LEFT, up(tick), width, up(tick), "axis" if not tick else "grid"))
        drawn.append(
            text_element(_LEFT - 6, up(tick) + 4, number_with_unit(tick, unit), anchor="end")
        )
    for index, (name, values) in enumerate(lines):
        drawn += _line(index, values, across, up)
        drawn += [
            _mark(
                index, across(place), up(value), f"{layer}, {name}: {number_with_unit(value, unit)}"
            )
            for place, (layer, value) in enumerate(zip(names, values, strict=True))
            if is_finite_number(value)
        ]
    every = max(math.ceil(_SPACING * max(len(names) - 1, 1) / (across.end - across.start)), 1)
    short = distinct_names(names)
    written = [(place, fit_text(short[place], _NAME)) for place in range(0, len(names), every)]
    drawn += [
        text_element(across(place) + 4, bottom + 14, words, "tick", anchor="end", turn=-_SLANT)
        for place, words in written
    ]
    longest = max((text_width(words) for _, words in written), default=0)
    return svg_element(id, bottom + 20 + longest * math.sin(math.radians(_SLANT)), drawn, width)


def _line(index: int, values: Sequence[float | None], across: Scale, up: Scale) -> list[Element]:
    """Draw a line through consecutive values."""
    runs = groupby(enumerate(values), key=lambda each: is_finite_number(each[1]))
    return [
        element(
            "polyline",
            points=" ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in run if y is not None),
            class_=f"line l{index % SERIES}",
        )
        for is_drawn, run in runs
        if is_drawn
    ]


def _mark(index: int, x: float, y: float, title: str) -> Element:
    return element(
        "circle", element("title", title), cx=x, cy=y, r=2.5, class_=f"point {series_class(index)}"
    )
