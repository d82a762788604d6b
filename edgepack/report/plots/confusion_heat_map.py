"""The confusion matrix as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from edgepack.report.plots.svg import WIDE, WIDTH, box, brief, drawing, fit, width_of, write

_MANY = 20  # classes: beyond, names need a wide drawing
_LONGEST_NAME = 84.0
_LARGEST_CELL = 46.0
_SMALL_FONT = 9.5
_DOWN = 4.0  # from the middle of a text to its baseline
_TITLE = 16
_COMMON = 0.5


def confusion(
    id: str,  # noqa: A002 (as the attribute)
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
) -> Element:
    """Draw how often a label, by rows, was said to be a class, by columns.

    What is right is of one colour and what is wrong of another, the darker the larger its share
    of the row. Numbers are left out where cells are too small for them. Names have room enough
    for forty classes.
    """
    width = WIDTH if len(names) <= _MANY else WIDE
    room = min(max((width_of(name) for name in names), default=0), _LONGEST_NAME) + 6
    cell = min((width - room) / max(len(names), 1), _LARGEST_CELL)
    top = _TITLE + room
    numbers = max((width_of(brief(n), _SMALL_FONT) for row in counts for n in row), default=0)
    is_written = numbers <= cell - 2
    drawn = [write(0, 11, "rows: the label · columns: what the model said", "tick", anchor="start")]
    for index, name in enumerate(names):
        middle = (index + 0.5) * cell
        words = fit(name, room - 6)
        drawn.append(write(room - 5, top + middle + _DOWN, words, "label", anchor="end"))
        column = room + middle + _DOWN
        drawn.append(write(column, top - 5, words, "label", anchor="start", turn=-90))
    for row, each in enumerate(counts):
        for column_index, count in enumerate(each):
            share = count / (sum(each) or 1)
            x, y = room + column_index * cell, top + row * cell
            title = f"{names[row]}, said to be {names[column_index]}: {count:,}"
            square = box(x + 0.5, y + 0.5, cell - 1, cell - 1, "cell", title)
            if count:
                square.set("class", "hit" if row == column_index else "miss")
                square.set("fill-opacity", f"{_opacity(share):.2f}")
            drawn.append(square)
            if is_written and count:
                class_ = "count on-dark" if share > _COMMON else "count"
                drawn.append(write(x + cell / 2, y + cell / 2 + 3.5, brief(count), class_))
    return drawing(id, top + len(names) * cell + 2, drawn, width)


def _opacity(share: float) -> float:
    """Tell how dark a cell is; none is of the middle tones on which no text can be read.

    >>> _opacity(0.0), _opacity(0.5), round(_opacity(0.51), 2), _opacity(1.0)
    (0.12, 0.45, 0.9, 1.0)
    """
    return 0.12 + 0.66 * share if share <= _COMMON else 0.8 + 0.2 * share
