"""Tables of plain text, and numbers as they stand in them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from edgepack.evaluation.score import OutputComparison, Score
from edgepack.printable import printable

NONE = "-"
_NAMED = 6
_LONG_MS = 100
WIDTH = 100


def interpreter(output: OutputComparison, name: str) -> str:
    """Name an interpreter, and how many samples it ran if those were not all."""
    some = output.sampled.get(name)
    return f"{name} ({some.samples:,} samples)" if some else name


def cells(score: Score | None) -> list[str]:
    """Write a score: the metric, the agreement, the SQNR and the largest error."""
    if score is None:
        return [NONE] * 4
    return [
        number(score.value),
        NONE if score.agreement is None else f"{score.agreement:.2%}",
        NONE if score.sqnr_db is None else f"{score.sqnr_db:.1f} dB",
        f"{score.max_abs_error:.3g}",
    ]


def number(value: float | None) -> str:
    """Write a metric's value."""
    if value is None:
        return NONE
    return f"{value:.4f}"


def count(whole: int | None) -> str:
    """Write a whole number, such as one of bytes."""
    return NONE if whole is None else f"{whole:,}"


def milliseconds(time: float) -> str:
    """Write a time in three significant digits, or whole milliseconds.

    >>> milliseconds(0.00039), milliseconds(99.97), milliseconds(1234.5)
    ('0.000390 ms', '100 ms', '1,234 ms')
    """
    if time >= _LONG_MS:
        return f"{time:,.0f} ms"
    return f"{time:#.3g}".rstrip(".") + " ms"


def table(rows: Sequence[Sequence[str]], left: int = 2) -> str:
    """Align rows of equal length: the first columns, two or more, are names, the others numbers."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def cut(name: str, width: int) -> str:
    """Shorten a name to a width: its end tells most.

    >>> cut("model/block_1/conv2d", 12)
    '..._1/conv2d'
    """
    return name if len(name) <= width else f"...{name[3 - width :]}"


def cut_middle(text: str, most: int) -> str:
    """Leave the middle of a long text out.

    >>> cut_middle("abcdefghijklm", 9)
    'abc...klm'
    """
    end = (most - 3) // 2
    return text if len(text) <= most else f"{text[:end]}...{text[-end:]}"


def hang(word: str, text: str) -> str:
    """Write a word and what it says, the lines after the first below the text.

    >>> print(hang("note  ", "every " * 16))
    note  every every every every every every every every every every every every every every every
          every
    """
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=word,
        subsequent_indent=" " * len(word),
        break_long_words=False,
        break_on_hyphens=False,
    )


def shorten(names: Sequence[str]) -> str:
    """List names, the first few if there are many.

    >>> shorten(["a", "b"])
    'a, b'
    >>> shorten(["a"] * 9)
    'a, a, a, a, a, a and 3 more'
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
