"""The memory of activations over the layers of a model."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from edgepack.report.plots.svg import (
    WIDTH,
    Scale,
    fit_text,
    legend_elements,
    line_element,
    rectangle_element,
    short_number,
    svg_element,
    text_element,
    text_width,
    ticks,
)

_TALL = 150.0
_LEFT = 40.0


def memory_plot(
    id: str,  # noqa: A002 (as the attribute)
    alive: Sequence[tuple[str, int, int]],
) -> Element:
    """Draw the bytes alive while each layer runs, and mark the peak.

    ``alive`` is a layer's name, the bytes, and how many of them are only kept for a later layer.
    """
    drawn, above = legend_elements(["used by the layer", "kept for a later layer"])
    top, bottom = above + 20, above + 20 + _TALL
    most = max((total for _, total, _ in alive), default=0)
    up = Scale(0, max(most, 1), bottom, top)
    wide = (WIDTH - _LEFT) / max(len(alive), 1)
    gap = 1 if wide > 4 else 0  # noqa: PLR2004 (narrower ones would vanish)
    for tick in ticks(0, max(most, 1), 4):
        drawn.append(line_element(_LEFT, up(tick), WIDTH, up(tick), "grid"))
        drawn.append(text_element(_LEFT - 5, up(tick) + 4, short_number(tick), anchor="end"))
    for index, (name, total, waiting) in enumerate(alive):
        title = f"{index + 1}. {name}: {total:,} bytes, {waiting:,} of them kept for a later layer"
        x, middle = _LEFT + index * wide, up(waiting)
        drawn.append(rectangle_element(x, up(total), wide - gap, middle - up(total), "s0", title))
        drawn.append(rectangle_element(x, middle, wide - gap, bottom - middle, "s1", title))
    drawn.append(line_element(_LEFT, bottom, WIDTH, bottom, "axis"))
    if alive:
        drawn += _peak(alive, most, wide, top)
    drawn.append(text_element(_LEFT, bottom + 15, "first layer", anchor="start"))
    drawn.append(text_element(WIDTH, bottom + 15, "last layer", anchor="end"))
    return svg_element(id, bottom + 20, drawn)


def _peak(
    alive: Sequence[tuple[str, int, int]], most: int, wide: float, top: float
) -> list[Element]:
    index = next(place for place, (_, total, _) in enumerate(alive) if total == most)
    name = alive[index][0]
    middle = _LEFT + (index + 0.5) * wide
    words = fit_text(f"peak {most:,} bytes: {name}", WIDTH - _LEFT)
    half = text_width(words) / 2
    place = min(max(middle, _LEFT + half), WIDTH - half)
    return [
        line_element(middle, top - 5, middle, top, "limit"),
        text_element(place, top - 8, words, "label"),
    ]
