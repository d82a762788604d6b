"""Scatter plots of named points, such as models by size and accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from edgepack.report.format.markup import element
from edgepack.report.plots.svg import (
    SERIES,
    WIDTH,
    Scale,
    extent,
    fit_text,
    is_finite_number,
    line_element,
    short_number,
    svg_element,
    text_element,
    text_width,
    ticks,
)

_HEIGHT = 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, WIDTH - 10.0, 26.0, _HEIGHT - 40.0
_SIZE = 5.0
_LABEL = 150
_NEAR = 16  # a label farther from its point is connected to it by a line

# Shapes of series, which color alone must not distinguish.
_SHAPES = (
    "M -5 0 A 5 5 0 1 0 5 0 A 5 5 0 1 0 -5 0 Z",
    "M -4.5 -4.5 H 4.5 V 4.5 H -4.5 Z",
    "M 0 -6 L 6 0 L 0 6 L -6 0 Z",
    "M 0 -5.5 L 5.5 4.5 H -5.5 Z",
)

_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A named point; ``low`` to ``high`` is the interval of ``y``, None without one.

    Points of the same ``series`` have the same color and shape.
    """

    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    series: int


def scatter_plot(
    id: str,  # noqa: A002 (as the attribute)
    points: Sequence[Point],
    *,
    x: str,
    y: str,
) -> Element:
    """Draw points with error bars, their names beside them; ``x`` and ``y`` name the axes.

    A name for which there is no room is left out; it is still in the tooltip.
    """
    points = [point for point in points if is_finite_number(point.x) and is_finite_number(point.y)]
    across = _padded([point.x for point in points], _LEFT, _RIGHT)
    up = _padded([v for p in points for v in (p.y, p.low, p.high)], _BOTTOM, _TOP)
    drawn = [text_element(0, 12, fit_text(y, WIDTH), "label", anchor="start")]
    for tick in ticks(up.low, up.high):
        drawn.append(line_element(_LEFT, up(tick), _RIGHT, up(tick), "grid"))
        drawn.append(text_element(_LEFT - 6, up(tick) + 4, short_number(tick), anchor="end"))
    for tick in ticks(across.low, across.high, 4):
        drawn.append(line_element(across(tick), _BOTTOM, across(tick), _BOTTOM + 4, "axis"))
        drawn.append(text_element(across(tick), _BOTTOM + 16, short_number(tick)))
    drawn.append(line_element(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"))
    drawn.append(
        text_element(_RIGHT, _HEIGHT - 6, fit_text(x, _RIGHT - _LEFT), "label", anchor="end")
    )
    taken: list[_Box] = [_around(across(point.x), up(point.y)) for point in points]
    for point in points:
        if is_finite_number(point.low) and is_finite_number(point.high):
            top, bottom = up(point.high), up(point.low)
            taken.append((across(point.x) - 4, top, across(point.x) + 4, bottom))
            drawn += _whisker(across(point.x), top, bottom)
    for point in points:
        drawn += _named(point, across(point.x), up(point.y), taken)
    return svg_element(id, _HEIGHT, drawn)


def _padded(values: Sequence[float | None], start: float, end: float) -> Scale:
    low, high = extent(values)
    pad = high / 12 - low / 12
    return Scale(max(low - pad, 0.0) if low >= 0 else low - pad, high + pad, start, end)


def _around(x: float, y: float) -> _Box:
    return (x - _SIZE - 1, y - _SIZE - 1, x + _SIZE + 1, y + _SIZE + 1)


def _whisker(x: float, top: float, bottom: float) -> list[Element]:
    return [
        line_element(x, top, x, bottom, "whisker"),
        line_element(x - 4, top, x + 4, top, "whisker"),
        line_element(x - 4, bottom, x + 4, bottom, "whisker"),
    ]


def _named(point: Point, x: float, y: float, taken: list[_Box]) -> list[Element]:
    """Draw a point, and its name in a free place, which is added to ``taken``."""
    tip = element("title", f"{point.name}: {short_number(point.x)}, {short_number(point.y)}")
    shape = _SHAPES[point.series % len(_SHAPES)]
    mark = element(
        "path",
        tip,
        d=shape,
        transform=f"translate({x:.1f} {y:.1f})",
        class_=f"point s{point.series % SERIES}",
    )
    name = fit_text(point.name, _LABEL)
    place = next((box for box in _places(x, y, text_width(name)) if _is_free(box, taken)), None)
    if place is None:
        return [mark]
    taken.append(place)
    left, top, right, bottom = place
    label = text_element(left, bottom - 3, name, "label", anchor="start")
    middle = (top + bottom) / 2
    if abs(middle - y) <= _NEAR:
        return [mark, label]
    edge = min(max(x, left), right)
    return [line_element(x, y, edge, bottom if middle < y else top, "leader"), mark, label]


def _places(x: float, y: float, width: float) -> Iterable[_Box]:
    """Return places for a text around a point, the nearest first."""
    for shift in range(0, 120, 12):
        for sign in (-1, 1) if shift else (1,):
            middle = y + sign * shift
            for left in (x + 9, x - 9 - width, x - width / 2):
                if left != x - width / 2 or shift:
                    yield (left, middle - 7, left + width, middle + 7)


def _is_free(box: _Box, taken: Sequence[_Box]) -> bool:
    left, top, right, bottom = box
    is_inside = left >= _LEFT and right <= WIDTH and top >= _TOP - 10 and bottom <= _BOTTOM
    return is_inside and not any(
        left < other[2] and other[0] < right and top < other[3] and other[1] < bottom
        for other in taken
    )
