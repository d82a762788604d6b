"""Points with names: the size of models against their accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from edgepack.report.format.markup import element
from edgepack.report.plots.svg import (
    SERIES,
    WIDTH,
    Scale,
    brief,
    drawing,
    extent,
    fit,
    is_number,
    line,
    ticks,
    width_of,
    write,
)

_HEIGHT = 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, WIDTH - 10.0, 26.0, _HEIGHT - 40.0
_SIZE = 5.0
_LABEL = 150
_NEAR = 16  # a label farther from its point than this gets a line to it

# Told apart by their form too, not by colour alone.
_FORMS = (
    "M -5 0 A 5 5 0 1 0 5 0 A 5 5 0 1 0 -5 0 Z",
    "M -4.5 -4.5 H 4.5 V 4.5 H -4.5 Z",
    "M 0 -6 L 6 0 L 0 6 L -6 0 Z",
    "M 0 -5.5 L 5.5 4.5 H -5.5 Z",
)

_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A model, say: ``y`` from ``low`` to ``high`` by its interval, None without one.

    ``series`` tells kinds of points apart.
    """

    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    series: int


def scatter(
    id: str,  # noqa: A002 (as the attribute)
    points: Sequence[Point],
    *,
    x: str,
    y: str,
) -> Element:
    """Draw points with error bars, their names beside them; ``x`` and ``y`` name the axes.

    A name that finds no free place is left out; it still shows up when one points there.
    """
    points = [point for point in points if is_number(point.x) and is_number(point.y)]
    across = _padded([point.x for point in points], _LEFT, _RIGHT)
    up = _padded([v for p in points for v in (p.y, p.low, p.high)], _BOTTOM, _TOP)
    drawn = [write(0, 12, fit(y, WIDTH), "label", anchor="start")]
    for tick in ticks(up.low, up.high):
        drawn.append(line(_LEFT, up(tick), _RIGHT, up(tick), "grid"))
        drawn.append(write(_LEFT - 6, up(tick) + 4, brief(tick), anchor="end"))
    for tick in ticks(across.low, across.high, 4):
        drawn.append(line(across(tick), _BOTTOM, across(tick), _BOTTOM + 4, "axis"))
        drawn.append(write(across(tick), _BOTTOM + 16, brief(tick)))
    drawn.append(line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"))
    drawn.append(write(_RIGHT, _HEIGHT - 6, fit(x, _RIGHT - _LEFT), "label", anchor="end"))
    taken: list[_Box] = [_around(across(point.x), up(point.y)) for point in points]
    for point in points:
        if is_number(point.low) and is_number(point.high):
            top, bottom = up(point.high), up(point.low)
            taken.append((across(point.x) - 4, top, across(point.x) + 4, bottom))
            drawn += _whisker(across(point.x), top, bottom)
    for point in points:
        drawn += _named(point, across(point.x), up(point.y), taken)
    return drawing(id, _HEIGHT, drawn)


def _padded(values: Sequence[float | None], start: float, end: float) -> Scale:
    low, high = extent(values)
    pad = high / 12 - low / 12
    return Scale(max(low - pad, 0.0) if low >= 0 else low - pad, high + pad, start, end)


def _around(x: float, y: float) -> _Box:
    return (x - _SIZE - 1, y - _SIZE - 1, x + _SIZE + 1, y + _SIZE + 1)


def _whisker(x: float, top: float, bottom: float) -> list[Element]:
    return [
        line(x, top, x, bottom, "whisker"),
        line(x - 4, top, x + 4, top, "whisker"),
        line(x - 4, bottom, x + 4, bottom, "whisker"),
    ]


def _named(point: Point, x: float, y: float, taken: list[_Box]) -> list[Element]:
    """Draw a point and its name where no other is; takes that place."""
    tip = element("title", f"{point.name}: {brief(point.x)}, {brief(point.y)}")
    form = _FORMS[point.series % len(_FORMS)]
    mark = element(
        "path",
        tip,
        d=form,
        transform=f"translate({x:.1f} {y:.1f})",
        class_=f"point s{point.series % SERIES}",
    )
    words = fit(point.name, _LABEL)
    place = next((box for box in _places(x, y, width_of(words)) if _is_free(box, taken)), None)
    if place is None:
        return [mark]
    taken.append(place)
    left, top, right, bottom = place
    label = write(left, bottom - 3, words, "label", anchor="start")
    middle = (top + bottom) / 2
    if abs(middle - y) <= _NEAR:
        return [mark, label]
    edge = min(max(x, left), right)
    return [line(x, y, edge, bottom if middle < y else top, "leader"), mark, label]


def _places(x: float, y: float, width: float) -> Iterable[_Box]:
    """Propose places for a text about a point: the nearest first."""
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
