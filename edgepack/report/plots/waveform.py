"""Small plots of signals, such as audio."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from edgepack.report.format.markup import element
from edgepack.report.plots.svg import Scale, extent, is_finite_number, line_element, svg_element

_WIDTH = 240
_HEIGHT = 64


def waveform_plot(
    id: str,  # noqa: A002 (as the attribute)
    values: Sequence[float],
) -> Element:
    """Draw values over time; where several share a column, the smallest and the largest."""
    numbers = [float(value) for value in values if is_finite_number(float(value))]
    low, high = extent([*numbers, 0.0])
    up = Scale(low, high, _HEIGHT - 2, 2)
    drawn = [line_element(0, up(0), _WIDTH, up(0), "grid")]
    if numbers:
        columns = min(len(numbers), _WIDTH)
        across = Scale(0, max(columns - 1, 1), 0, _WIDTH)
        cuts = [len(numbers) * column // columns for column in range(columns + 1)]
        places = [
            f"{across(column):.1f},{up(value):.1f}"
            for column in range(columns)
            for value in _ends(numbers[cuts[column] : cuts[column + 1]])
        ]
        drawn.append(element("polyline", points=" ".join(places), class_="line thin l0"))
    return svg_element(id, _HEIGHT, drawn, _WIDTH)


def _ends(part: Sequence[float]) -> Sequence[float]:
    return part if len(part) == 1 else (min(part), max(part))
