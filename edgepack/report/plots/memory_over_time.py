"""The memory that activations take while a model runs."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from edgepack.report.plots.svg import (
    WIDTH,
    Scale,
    box,
    brief,
    drawing,
    fit,
    legend,
    line,
    ticks,
    width_of,
    write,
)

_TALL = 150.0
_LEFT = 40.0


def memory(
    id: str,  # noqa: A002 (as the attribute)
    alive: Sequence[tuple[str, int, int]],
) -> Element:
    """Draw the bytes alive while each layer runs, by its name, and mark the most.

    The last number is how many of them only wait for a later layer.
    """
    drawn, above = legend(["used by the layer", "waiting for a later one"])
    top, bottom = above + 20, above + 20 + _TALL
    most = max((total for _, total, _ in alive), default=0)
    up = Scale(0, max(most, 1), bottom, top)
    wide = (WIDTH - _LEFT) / max(len(alive), 1)
    gap = 1 if wide > 4 else 0  # noqa: PLR2004 (narrower ones would vanish)
    for tick in ticks(0, max(most, 1), 4):
        drawn.append(line(_LEFT, up(tick), WIDTH, up(tick), "grid"))
        drawn.append(write(_LEFT - 5, up(tick) + 4, brief(tick), anchor="end"))
    for index, (name, total, waiting) in enumerate(alive):
        title = f"{index + 1}. {name}: {total:,} bytes, {waiting:,} of them waiting"
        x, middle = _LEFT + index * wide, up(waiting)
        drawn.append(box(x, up(total), wide - gap, middle - up(total), "s0", title))
        drawn.append(box(x, middle, wide - gap, bottom - middle, "s1", title))
    drawn.append(line(_LEFT, bottom, WIDTH, bottom, "axis"))
    if alive:
        drawn += _peak(alive, most, wide, top)
    drawn.append(write(_LEFT, bottom + 15, "first layer", anchor="start"))
    drawn.append(write(WIDTH, bottom + 15, "last layer", anchor="end"))
    return drawing(id, bottom + 20, drawn)


def _peak(
    alive: Sequence[tuple[str, int, int]], most: int, wide: float, top: float
) -> list[Element]:
    index = next(place for place, (_, total, _) in enumerate(alive) if total == most)
    name = alive[index][0]
    middle = _LEFT + (index + 0.5) * wide
    words = fit(f"peak {most:,} bytes: {name}", WIDTH - _LEFT)
    half = width_of(words) / 2
    place = min(max(middle, _LEFT + half), WIDTH - half)
    return [line(middle, top - 5, middle, top, "limit"), write(place, top - 8, words, "label")]
