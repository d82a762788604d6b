"""What pages are made of, from texts: tables and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgepack.report.document.blocks import Bullets, Column, Row, Table, Tone


def table(
    caption: str,
    columns: Sequence[str | Column],
    rows: Iterable[Sequence[str] | Row],
    names: int = 1,
) -> Table:
    """Make a table; columns but the first ``names`` hold numbers, unless they say themselves."""
    return Table(
        caption=caption,
        columns=tuple(
            column if isinstance(column, Column) else Column(title=column, is_number=place >= names)
            for place, column in enumerate(columns)
        ),
        rows=tuple(row if isinstance(row, Row) else Row(cells=tuple(row)) for row in rows),
    )


def words(title: str, hint: str | None = None) -> Column:
    """Make a column of words."""
    return Column(title=title, hint=hint)


def figures(title: str, hint: str | None = None) -> Column:
    """Make a column of numbers."""
    return Column(title=title, is_number=True, hint=hint)


def bullets(items: Iterable[str]) -> tuple[Bullets, ...]:
    """Make a list of sentences, each told once; nothing of none."""
    told = tuple(dict.fromkeys(items))
    return (Bullets(items=told),) if told else ()


def toned(cells: Sequence[str], tone: Tone) -> Row:
    """Make a row that is meant well or ill."""
    return Row(cells=tuple(cells), tone=tone)
