"""Histograms of values, with the quantized range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from edgepack.report.plots.svg import (
    WIDTH,
    Scale,
    extent,
    is_finite_number,
    line_element,
    rectangle_element,
    short_number,
    svg_element,
    text_element,
    ticks,
)

_HEIGHT = 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, WIDTH - 8.0, 18.0, _HEIGHT - 22.0
_STEPS = 4


def histogram_plot(
    id: str,  # noqa: A002 (as the attribute)
    counts: Sequence[int],
    span: tuple[float, float],
    quantized: tuple[float, float] | None,
) -> Element:
    """Draw ``counts`` of equal bins over ``span``, on a logarithmic scale.

    The ``quantized`` range is shaded: values outside were clipped. None if not quantized.
    """
    low, high = extent([*span, *(quantized or ())])
    across = Scale(low, high, _LEFT, _RIGHT)
    decades = math.log10(max(max(counts, default=0), 9) + 1)
    up = Scale(0, decades, _BOTTOM, _TOP)
    drawn = [] if quantized is None else _shade(quantized, across)
    for power in range(0, math.floor(decades) + 1, math.ceil(decades / _STEPS)):
        place = up(math.log10(10**power + 1) if power else 0)
        drawn.append(line_element(_LEFT, place, _RIGHT, place, "grid"))
        drawn.append(
            text_element(
                _LEFT - 5, place + 4, short_number(10**power if power else 0), anchor="end"
            )
        )
    wide = (span[1] - span[0]) / max(len(counts), 1)
    for index, count in enumerate(counts):
        start = span[0] + index * wide
        if not count or not is_finite_number(start) or not is_finite_number(wide):
            continue
        left, right = across(start), across(start + wide)
        height = _BOTTOM - up(math.log10(count + 1))
        title = f"{short_number(start)} to {short_number(start + wide)}: {count:,}"
        drawn.append(
            rectangle_element(left, _BOTTOM - height, max(right - left, 1), height, "s0", title)
        )
    drawn.append(line_element(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "axis"))
    drawn += [
        text_element(across(tick), _HEIGHT - 8, short_number(tick)) for tick in ticks(low, high, 4)
    ]
    return svg_element(id, _HEIGHT, drawn)


def _shade(quantized: tuple[float, float], across: Scale) -> list[Element]:
    left, right = (min(max(across(v), _LEFT), _RIGHT) for v in quantized if is_finite_number(v))
    middle = min(max((left + right) / 2, _LEFT + 44), _RIGHT - 44)
    return [
        rectangle_element(left, _TOP - 4, right - left, _BOTTOM - _TOP + 4, "band"),
        line_element(left, _TOP - 4, left, _BOTTOM, "limit"),
        line_element(right, _TOP - 4, right, _BOTTOM, "limit"),
        text_element(middle, 10, "quantized range", "label"),
    ]
