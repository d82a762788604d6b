"""Tables, lists and paragraphs of plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence

from edgepack.core.printable import printable
from edgepack.core.wording import WARNING

NONE = "-"
"""Stands for a value that is None."""
_NAMED = 6
WIDTH = 100
"""Columns of the terminal that reports are written for."""


def text_table(rows: Sequence[Sequence[str]], left: int = 2) -> str:
    """Return rows of equal length as an aligned table.

    The first ``left`` columns are aligned left, the others, numbers, right.
    """
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


def cut_start(name: str, width: int) -> str:
    """Shorten a name to a width, keeping its end.

    >>> cut_start("model/block_1/conv2d", 12)
    '..._1/conv2d'
    """
    return name if len(name) <= width else f"...{name[3 - width :]}"


def cut_middle(text: str, most: int) -> str:
    """Shorten a text to ``most`` characters, leaving out its middle.

    >>> cut_middle("abcdefghijklm", 9)
    'abc...klm'
    """
    end = (most - 3) // 2
    return text if len(text) <= most else f"{text[:end]}...{text[-end:]}"


def hanging_paragraph(word: str, text: str) -> str:
    """Return a word and a text, wrapped to ``WIDTH`` with a hanging indent below the text.

    >>> print(hanging_paragraph("note  ", "every " * 16))
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


def list_names(names: Sequence[str]) -> str:
    """Return names as a list, only the first six if there are more.

    >>> list_names(["a", "b"])
    'a, b'
    >>> list_names(["a"] * 9)
    'a, a, a, a, a, a and 3 more'
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def note_paragraphs(
    notes: Iterable[str], write: Callable[[str, str], str] = hanging_paragraph
) -> str:
    """Return notes as paragraphs, which ``write`` wraps; warnings of likely mistakes are last.

    >>> print(note_paragraphs(["warning: other weights", "3 samples were run"]))
    note: 3 samples were run
    warning: other weights
    """
    ordered = sorted(notes, key=lambda note: note.startswith(WARNING))
    return "\n".join(
        write(WARNING, note.removeprefix(WARNING))
        if note.startswith(WARNING)
        else write("note: ", note)
        for note in ordered
    )
