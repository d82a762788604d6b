"""Confusion matrices as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from edgepack.report.plots.svg import (
    WIDE,
    WIDTH,
    fit_text,
    rectangle_element,
    short_number,
    svg_element,
    text_element,
    text_width,
)

_MANY = 20  # with more classes the plot is wide
_LONGEST_NAME = 84.0
_LARGEST_CELL = 46.0
_SMALL_FONT = 9.5
_DOWN = 4.0  # from the middle of a text to its baseline
_TITLE = 16
_COMMON = 0.5


def confusion_plot(
    id: str,  # noqa: A002 (as the attribute)
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
) -> Element:
    """Draw a confusion matrix: ``counts`` by label (rows) and predicted class (columns).

    Correct and wrong predictions have different colors, the darker the larger their share of the
    row. Numbers are left out if cells are too small for them. There is room for the names of forty
    classes.
    """
    width = WIDTH if len(names) <= _MANY else WIDE
    room = min(max((text_width(name) for name in names), default=0), _LONGEST_NAME) + 6
    cell = min((width - room) / max(len(names), 1), _LARGEST_CELL)
    top = _TITLE + room
    numbers = max(
        (text_width(short_number(n), _SMALL_FONT) for row in counts for n in row), default=0
    )
    is_written = numbers <= cell - 2
    drawn = [text_element(0, 11, "rows: label · columns: predicted class", "tick", anchor="start")]
    for index, name in enumerate(names):
        middle = (index + 0.5) * cell
        words = fit_text(name, room - 6)
        drawn.append(text_element(room - 5, top + middle + _DOWN, words, "label", anchor="end"))
        column = room + middle + _DOWN
        drawn.append(text_element(column, top - 5, words, "label", anchor="start", turn=-90))
    for row, each in enumerate(counts):
        for column_index, count in enumerate(each):
            share = count / (sum(each) or 1)
            x, y = room + column_index * cell, top + row * cell
            title = f"{names[row]}, predicted as {names[column_index]}: {count:,}"
            square = rectangle_element(x + 0.5, y + 0.5, cell - 1, cell - 1, "cell", title)
            if count:
                square.set("class", "hit" if row == column_index else "miss")
                square.set("fill-opacity", f"{_opacity(share):.2f}")
            drawn.append(square)
            if is_written and count:
                class_ = "count on-dark" if share > _COMMON else "count"
                drawn.append(
                    text_element(x + cell / 2, y + cell / 2 + 3.5, short_number(count), class_)
                )
    return svg_element(id, top + len(names) * cell + 2, drawn, width)


def _opacity(share: float) -> float:
    """Return the opacity of a cell, leaving out middle tones, on which no text is legible.

    >>> _opacity(0.0), _opacity(0.5), round(_opacity(0.51), 2), _opacity(1.0)
    (0.12, 0.45, 0.9, 1.0)
    """
    return 0.12 + 0.66 * share if share <= _COMMON else 0.8 + 0.2 * share
