"""What plots are made of: scales, ticks, numbers as they stand at axes, texts, legends.

Lengths are in units of the ``viewBox``; a page shows a plot of ``WIDTH`` about as wide on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard
from xml.etree.ElementTree import Element

from edgepack.report.format.markup import element, plain
from edgepack.report.format.text_table import cut_middle

WIDTH = 360
WIDE = 720
FONT = 11
SERIES = 6
"""So many colours there are; after those they begin anew."""

# How wide letters are at most in common fonts, of the font's size.
_LETTER = 0.64
_WIDTHS = {0.4: " .,:;|!'()[]-/fijlrtI", 0.98: "%@mwMW"}
_LETTERS = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
_FULL_WIDTH = "\u1100"  # from here on, as in Chinese
_SWATCH = 10
_SHORTEST = 5  # letters, three of them dots
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_FEWEST = 1e4  # below, numbers are written in full
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """A line from values to places: ``low`` lies at ``start``, ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Find a value's place."""
        # Halves, for the difference of large values may be more than a float holds.
        span = self.high / 2 - self.low / 2
        part = (value / 2 - self.low / 2) / span if span else 0.5
        return self.start + part * (self.end - self.start)


def is_number(value: float | None) -> TypeGuard[float]:
    """Whether there is something to draw."""
    return value is not None and math.isfinite(value)


def extent(values: Sequence[float | None]) -> tuple[float, float]:
    """Find the least and the largest number, apart from each other; 0 and 1 without any.

    >>> extent([3.0, None, 1.0]), extent([2.0]), extent([])
    ((1.0, 3.0), (1.5, 2.5), (0.0, 1.0))
    """
    found = [value for value in values if is_number(value)]
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    apart = abs(low) / 4 or 0.5
    return (low, high) if high > low else (low - apart, high + apart)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Choose round numbers from ``low`` to ``high``, ``most`` steps at most.

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


def brief(value: float) -> str:
    """Write a number in few letters.

    >>> brief(12.0), brief(99.126), brief(53_936), brief(1.25e6), brief(-0.00001234)
    ('12', '99.13', '53.9k', '1.25M', '-1.23e-05')
    """
    if abs(value) >= _FEWEST:
        for size, prefix in _PREFIXES:
            if abs(value) >= size:
                return f"{value / size:.3g}{prefix}"
    return f"{value:.4g}" if abs(value) >= 0.001 or not value else f"{value:.3g}"  # noqa: PLR2004


def with_unit(value: float, unit: str) -> str:
    """Write a number and its unit.

    >>> with_unit(99.5, "%"), with_unit(20, "dB"), with_unit(3, "")
    ('99.5%', '20 dB', '3')
    """
    return f"{brief(value)}{unit}" if unit in {"", "%"} else f"{brief(value)} {unit}"


def width_of(text: str, font: float = FONT) -> float:
    """Guess how wide a text comes out at most."""
    letters = (_LETTERS.get(c, _LETTER if c < _FULL_WIDTH else 1.1) for c in text)
    return font * sum(letters)


def fit(text: str, width: float, font: float = FONT) -> str:
    """Shorten a text to a width."""
    text = plain(text)
    most = len(text)
    while width_of(short := cut_middle(text, most), font) > width and most > _SHORTEST:
        most = min(most - 1, int(width / (0.3 * font)))
    return short


def distinct(names: Sequence[str]) -> list[str]:
    """Leave out the folders that all names begin with, and the parts that all end with.

    >>> distinct(["model/conv/Conv2D", "model/conv_1/Conv2D"]), distinct(["a/b"])
    (['conv', 'conv_1'], ['a/b'])
    """
    parts = [name.split("/") for name in names]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({each[0] for each in parts}) == 1:
        parts = [each[1:] for each in parts]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({each[-1] for each in parts}) == 1:
        parts = [each[:-1] for each in parts]
    return ["/".join(each) for each in parts]


def colour(index: int) -> str:
    """Name the class that fills with the colour of a series."""
    return f"s{index % SERIES}"


def write(
    x: float, y: float, words: str, class_: str = "tick", *, anchor: str = "middle", turn: float = 0
) -> Element:
    """Write a text whose baseline is at ``y``; ``turn`` it around there, in degrees."""
    place = f"rotate({turn:g} {x:.1f} {y:.1f})" if turn else None
    return element("text", words, x=x, y=y, class_=class_, text_anchor=anchor, transform=place)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    """Draw a line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def box(
    x: float, y: float, width: float, height: float, class_: str, title: str | None = None
) -> Element:
    """Draw a rectangle; its title shows up when one points at it."""
    tip = None if title is None else element("title", title)
    return element("rect", tip, x=x, y=y, width=max(width, 0), height=max(height, 0), class_=class_)


def legend(
    names: Sequence[str], width: float = WIDTH, kind: str = "s"
) -> tuple[list[Element], int]:
    """Name series by their colours, in as many rows as it takes; tells how high that is.

    ``kind`` is ``s`` for areas and ``l`` for lines.
    """
    drawn, x, y = [], 0.0, FONT
    for index, name in enumerate(names):
        words = fit(name, width - 2 * _SWATCH)
        needs = _SWATCH + 5 + width_of(words)
        if x and x + needs > width:
            x, y = 0.0, y + FONT + 6
        class_ = f"{kind}{index % SERIES}"
        if kind == "s":
            drawn.append(box(x, y - 9, _SWATCH, _SWATCH, class_))
        else:
            drawn.append(line(x - 2, y - 4, x + _SWATCH + 2, y - 4, f"line {class_}"))
        drawn.append(write(x + _SWATCH + 5, y, words, "label", anchor="start"))
        x += needs + 14
    return drawn, y + 10


def drawing(id_: str, height: float, drawn: Sequence[Element], width: float = WIDTH) -> Element:
    """Make the ``svg`` of what was drawn; the page tells its title and description."""
    return element(
        "svg",
        *drawn,
        id=id_,
        viewBox=f"0 0 {width:g} {math.ceil(height)}",
        class_="wide" if width > WIDTH else None,
        role="img",
    )
