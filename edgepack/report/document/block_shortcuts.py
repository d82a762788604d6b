"""Functions that make tables and lists of texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgepack.report.document.blocks import Bullets, Column, Row, Table, Tone


def table_block(
    caption: str,
    columns: Sequence[str | Column],
    rows: Iterable[Sequence[str] | Row],
    names: int = 1,
) -> Table:
    """Make a table.

    Of columns given as titles, those after the first ``names`` hold numbers.
    """
    return Table(
        caption=caption,
        columns=tuple(
            column if isinstance(column, Column) else Column(title=column, is_number=place >= names)
            for place, column in enumerate(columns)
        ),
        rows=tuple(row if isinstance(row, Row) else Row(cells=tuple(row)) for row in rows),
    )


def text_column(title: str, hint: str | None = None) -> Column:
    """Make a column of text, with an optional explanation."""
    return Column(title=title, hint=hint)


def number_column(title: str, hint: str | None = None) -> Column:
    """Make a column of numbers, with an optional explanation."""
    return Column(title=title, is_number=True, hint=hint)


def bullet_blocks(items: Iterable[str]) -> tuple[Bullets, ...]:
    """Make a list of sentences without duplicates; no block if there are none."""
    distinct = tuple(dict.fromkeys(items))
    return (Bullets(items=distinct),) if distinct else ()


def toned_row(cells: Sequence[str], tone: Tone) -> Row:
    """Make a row with a tone."""
    return Row(cells=tuple(cells), tone=tone)
