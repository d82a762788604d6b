"""Lines along the layers of a model."""

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
    colour,
    distinct,
    drawing,
    extent,
    fit,
    is_number,
    legend,
    line,
    ticks,
    width_of,
    with_unit,
    write,
)

_MANY = 30  # layers: beyond, the drawing is wide
_TALL = 150.0
_LEFT = 48.0
_NAME = 80.0
_APART = 12.0  # slanted names lie so far apart at least
_SLANT = 50


def along(
    id: str,  # noqa: A002 (as the attribute)
    names: Sequence[str],
    lines: Sequence[tuple[str, Sequence[float | None]]],
    *,
    unit: str,
) -> Element:
    """Draw lines of values, in ``unit``, one for each of ``names``; broken where there is none.

    Names are written where they fit: every one, every second, and so on.
    """
    width = WIDTH if len(names) <= _MANY else WIDE
    drawn, above = legend([name for name, _ in lines], width, "l")
    top, bottom = above + 8, above + 8 + _TALL
    low, high = extent([value for _, values in lines for value in values] + [0.0])
    across = Scale(0, max(len(names) - 1, 1), _LEFT + 8, width - 10)
    up = Scale(low, high, bottom, top)
    for tick in ticks(low, high):
        drawn.append(line(_LEFT, up(tick), width, up(tick), "axis" if not tick else "grid"))
        drawn.append(write(_LEFT - 6, up(tick) + 4, with_unit(tick, unit), anchor="end"))
    for index, (name, values) in enumerate(lines):
        drawn += _line(index, values, across, up)
        drawn += [
            _mark(index, across(place), up(value), f"{layer}, {name}: {with_unit(value, unit)}")
            for place, (layer, value) in enumerate(zip(names, values, strict=True))
            if is_number(value)
        ]
    every = max(math.ceil(_APART * max(len(names) - 1, 1) / (across.end - across.start)), 1)
    short = distinct(names)
    written = [(place, fit(short[place], _NAME)) for place in range(0, len(names), every)]
    drawn += [
        write(across(place) + 4, bottom + 14, words, "tick", anchor="end", turn=-_SLANT)
        for place, words in written
    ]
    longest = max((width_of(words) for _, words in written), default=0)
    return drawing(id, bottom + 20 + longest * math.sin(math.radians(_SLANT)), drawn, width)


def _line(index: int, values: Sequence[float | None], across: Scale, up: Scale) -> list[Element]:
    """Join the values that follow each other."""
    runs = groupby(enumerate(values), key=lambda each: is_number(each[1]))
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
        "circle", element("title", title), cx=x, cy=y, r=2.5, class_=f"point {colour(index)}"
    )
