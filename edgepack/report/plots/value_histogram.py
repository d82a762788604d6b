"""A histogram of values, with the range that quantization left them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from edgepack.report.plots.svg import (
    WIDTH,
    Scale,
    box,
    brief,
    drawing,
    extent,
    is_number,
    line,
    ticks,
    write,
)

_HEIGHT = 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, WIDTH - 8.0, 18.0, _HEIGHT - 22.0
_STEPS = 4


def histogram(
    id: str,  # noqa: A002 (as the attribute)
    counts: Sequence[int],
    span: tuple[float, float],
    quantized: tuple[float, float] | None,
) -> Element:
    """Draw ``counts`` of equal bins over ``span``, their heights by the logarithm.

    The range that ``quantized`` values have is shaded: what lies outside was clipped.
    """
    low, high = extent([*span, *(quantized or ())])
    across = Scale(low, high, _LEFT, _RIGHT)
    decades = math.log10(max(max(counts, default=0), 9) + 1)
    up = Scale(0, decades, _BOTTOM, _TOP)
    drawn = [] if quantized is None else _shade(quantized, across)
    for power in range(0, math.floor(decades) + 1, math.ceil(decades / _STEPS)):
        place = up(math.log10(10**power + 1) if power else 0)
        drawn.append(line(_LEFT, place, _RIGHT, place, "grid"))
        drawn.append(write(_LEFT - 5, place + 4, brief(10**power if power else 0), anchor="end"))
    wide = (span[1] - span[0]) / max(len(counts), 1)
    for index, count in enumerate(counts):
        start = span[0] + index * wide
        if not count or not is_number(start) or not is_number(wide):
            continue
        left, right = across(start), across(start + wide)
        height = _BOTTOM - up(math.log10(count + 1))
        title = f"{brief(start)} to {brief(start + wide)}: {count:,}"
        drawn.append(box(left, _BOTTOM - height, max(right - left, 1), height, "s0", title))
    drawn.append(line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"))
    drawn += [write(across(tick), _HEIGHT - 8, brief(tick)) for tick in ticks(low, high, 4)]
    return drawing(id, _HEIGHT, drawn)


def _shade(quantized: tuple[float, float], across: Scale) -> list[Element]:
    left, right = (min(max(across(v), _LEFT), _RIGHT) for v in quantized if is_number(v))
    middle = min(max((left + right) / 2, _LEFT + 44), _RIGHT - 44)
    return [
        box(left, _TOP - 4, right - left, _BOTTOM - _TOP + 4, "band"),
        line(left, _TOP - 4, left, _BOTTOM, "limit"),
        line(right, _TOP - 4, right, _BOTTOM, "limit"),
        write(middle, 10, "quantized range", "label"),
    ]
