"""Parts of plots: scales, ticks, axis numbers, texts and legends.

Lengths are in units of the ``viewBox``; a plot of ``WIDTH`` units has about that many CSS pixels on
a phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard
from xml.etree.ElementTree import Element

from edgepack.report.format.markup import element, printable_line
from edgepack.report.format.text_table import cut_middle

WIDTH = 360
WIDE = 720
FONT = 11
SERIES = 6
"""The number of colors of series; further series repeat them."""

# The largest width of letters in common fonts, as a fraction of the font size.
_LETTER = 0.64
_WIDTHS = {0.4: " .,:;|!'()[]-/fijlrtI", 0.98: "%@mwMW"}
_LETTERS = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
_FULL_WIDTH = "\u1100"  # the first full-width letter, as in Chinese
_SWATCH = 10
_SHORTEST = 5  # letters, three of which are dots
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MIN_PREFIXED = 1e4  # smaller numbers have no SI prefix
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """A linear scale from values to positions: ``low`` is at ``start``, ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the position of a value; the middle if ``low`` equals ``high``."""
        # Halves, because the difference of large values may overflow a float.
        span = self.high / 2 - self.low / 2
        part = (value / 2 - self.low / 2) / span if span else 0.5
        return self.start + part * (self.end - self.start)


def is_finite_number(value: float | None) -> TypeGuard[float]:
    """Whether a value is a finite number, and so can be drawn."""
    return value is not None and math.isfinite(value)


def extent(values: Sequence[float | None]) -> tuple[float, float]:
    """Return the smallest and largest finite value, widened if equal; 0 and 1 if there is none.

    >>> extent([3.0, None, 1.0]), extent([2.0]), extent([])
    ((1.0, 3.0), (1.5, 2.5), (0.0, 1.0))
    """
    numbers = [value for value in values if is_finite_number(value)]
    if not numbers:
        return 0.0, 1.0
    low, high = min(numbers), max(numbers)
    margin = abs(low) / 4 or 0.5
    return (low, high) if high > low else (low - margin, high + margin)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers between ``low`` and ``high``, at most ``most`` steps.

    >>> ticks(0, 100), ticks(0.91, 0.97, 4)
    ([0.0, 20.0, 40.0, 60.0, 80.0, 100.0], [0.92, 0.94, 0.96])
    """
    span = high / most - low / most
    if not 0 < span < math.inf:
        return [low]
    power = 10.0 ** math.floor(math.log10(span))
    if not power:  # too small for a float
        return [low]
    step = next((power * each for each in _STEPS if power * each >= span * (1 - 1e-9)), power * 10)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(index * step, digits) + 0.0 for index in range(first, last + 1)]


def short_number(value: float) -> str:
    """Format a number in few letters, with an SI prefix from 10,000 on.

    >>> [short_number(value) for value in (12.0, 99.126, 53_936, 1.25e6, -0.00001234)]
    ['12', '99.13', '53.9k', '1.25M', '-1.23e-05']
    """
    if abs(value) >= _MIN_PREFIXED:
        for size, prefix in _PREFIXES:
            if abs(value) >= size:
                return f"{value / size:.3g}{prefix}"
    return f"{value:.4g}" if abs(value) >= 0.001 or not value else f"{value:.3g}"  # noqa: PLR2004


def number_with_unit(value: float, unit: str) -> str:
    """Format a number with its unit.

    >>> number_with_unit(99.5, "%"), number_with_unit(20, "dB"), number_with_unit(3, "")
    ('99.5%', '20 dB', '3')
    """
    return f"{short_number(value)}{unit}" if unit in {"", "%"} else f"{short_number(value)} {unit}"


def text_width(text: str, font: float = FONT) -> float:
    """Estimate the largest width of a text, in common fonts."""
    letters = (_LETTERS.get(c, _LETTER if c < _FULL_WIDTH else 1.1) for c in text)
    return font * sum(letters)


def fit_text(text: str, width: float, font: float = FONT) -> str:
    """Return a text on one line, its middle left out to fit a width."""
    text = printable_line(text)
    most = len(text)
    while text_width(short := cut_middle(text, most), font) > width and most > _SHORTEST:
        most = min(most - 1, int(width / (0.3 * font)))
    return short


def distinct_names(names: Sequence[str]) -> list[str]:
    """Return names without the leading and trailing path parts that all have in common.

    >>> distinct_names(["model/conv/Conv2D", "model/conv_1/Conv2D"]), distinct_names(["a/b"])
    (['conv', 'conv_1'], ['a/b'])
    """
    parts = [name.split("/") for name in names]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({each[0] for each in parts}) == 1:
        parts = [each[1:] for each in parts]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({each[-1] for each in parts}) == 1:
        parts = [each[:-1] for each in parts]
    return ["/".join(each) for each in parts]


def series_class(index: int) -> str:
    """Return the CSS class that fills with the color of a series."""
    return f"s{index % SERIES}"


def text_element(
    x: float, y: float, text: str, class_: str = "tick", *, anchor: str = "middle", turn: float = 0
) -> Element:
    """Return a text whose baseline is at ``y``, rotated by ``turn`` degrees around (x, y)."""
    rotation = f"rotate({turn:g} {x:.1f} {y:.1f})" if turn else None
    return element("text", text, x=x, y=y, class_=class_, text_anchor=anchor, transform=rotation)


def line_element(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    """Return a line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rectangle_element(
    x: float, y: float, width: float, height: float, class_: str, title: str | None = None
) -> Element:
    """Return a rectangle; its title is shown as a tooltip."""
    tip = None if title is None else element("title", title)
    return element("rect", tip, x=x, y=y, width=max(width, 0), height=max(height, 0), class_=class_)


def legend_elements(
    names: Sequence[str], width: float = WIDTH, kind: str = "s"
) -> tuple[list[Element], int]:
    """Return a legend of the series, in as many rows as needed, and its height.

    ``kind`` is ``s`` for areas and ``l`` for lines.
    """
    drawn, x, y = [], 0.0, FONT
    for index, name in enumerate(names):
        label = fit_text(name, width - 2 * _SWATCH)
        needed = _SWATCH + 5 + text_width(label)
        if x and x + needed > width:
            x, y = 0.0, y + FONT + 6
        class_ = f"{kind}{index % SERIES}"
        if kind == "s":
            drawn.append(rectangle_element(x, y - 9, _SWATCH, _SWATCH, class_))
        else:
            drawn.append(line_element(x - 2, y - 4, x + _SWATCH + 2, y - 4, f"line {class_}"))
        drawn.append(text_element(x + _SWATCH + 5, y, label, "label", anchor="start"))
        x += needed + 14
    return drawn, y + 10


def svg_element(id_: str, height: float, drawn: Sequence[Element], width: float = WIDTH) -> Element:
    """Return the ``svg`` of drawn elements; the page adds its title and description."""
    return element(
        "svg",
        *drawn,
        id=id_,
        viewBox=f"0 0 {width:g} {math.ceil(height)}",
        class_="wide" if width > WIDTH else None,
        role="img",
    )
