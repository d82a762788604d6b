"""The report of ``edgepack diff`` as plain text: what changed, most important first."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.report.differences.difference import (
    BETTER,
    DIFFERENT,
    ONLY_A,
    ONLY_B,
    SAME,
    WORSE,
    DifferenceRow,
    DiffReport,
    Side,
)
from edgepack.report.differences.figure_kinds import REASONS
from edgepack.report.format.text_table import (
    NONE,
    cut_middle,
    hanging_paragraph,
    list_names,
    text_table,
)

_CHANGED = (WORSE, BETTER, DIFFERENT)
_LONGEST = 30
_LONGEST_WHAT = 50
_LONGEST_TEXT = 300
_LARGE_PERCENT = 100


def render_difference(difference: DiffReport) -> str:
    """Return a difference as plain text."""
    changed = [row for row in difference.rows if row.verdict in _CHANGED]
    rows = [row for row in changed if row.kind is not REASONS]
    parts = [
        "\n".join(_heading(name, side) for name, side in _sides(difference).items()),
        text_table([["", "", "A", "B", "change"], *map(_cells, rows)]) if rows else "",
        "\n".join(line for row in changed if row.kind is REASONS for line in _reason_lines(row)),
        "\n".join(_unmatched(difference)),
        "\n".join(hanging_paragraph("note: ", note) for note in _notes(changed)),
        _verdict(difference),
    ]
    return "\n\n".join(part for part in parts if part)


def _sides(difference: DiffReport) -> dict[str, Side]:
    return {"A": difference.a, "B": difference.b}


def _heading(name: str, side: Side) -> str:
    model = cut_middle(side.model or NONE, _LONGEST_WHAT)
    text = f"{cut_middle(side.file, _LONGEST_TEXT)}: {side.kind} of {model}"
    if side.samples is not None:
        text += f", {side.samples:,} {cut_middle(side.data or '', _LONGEST)} samples"
    return f"{name}  {text}"


def _cells(row: DifferenceRow) -> list[str]:
    return [
        row.verdict,
        cut_middle(row.what, _LONGEST_WHAT),
        _shown(row, row.a),
        _shown(row, row.b),
        _change(row),
    ]


def _shown(row: DifferenceRow, value: float | str | None) -> str:
    if value is None:
        return NONE
    return cut_middle(value, _LONGEST) if isinstance(value, str) else row.kind.show(value)


def _change(row: DifferenceRow) -> str:
    """Return the change from A to B in the figure's unit and in percent of A.

    A fraction changes by percentage points only.
    """
    if row.change is None:
        return ""
    absolute = row.kind.change(row.change) if row.kind.change else ""
    if row.kind.unit == "fraction" or row.percent is None:
        return absolute
    percent = _percent(row.percent)
    return f"{absolute} ({percent})" if absolute else percent


def _percent(percent: float) -> str:
    """Format a percentage: whole from 100 on, otherwise with three significant digits.

    >>> _percent(1234.5), _percent(-7.25), _percent(0.0123)
    ('+1,234%', '-7.25%', '+0.0123%')
    """
    return f"{percent:+,.0f}%" if abs(percent) >= _LARGE_PERCENT else f"{percent:+.3g}%"


def _reason_lines(row: DifferenceRow) -> Iterator[str]:
    """Return a reason that is gone, is new, or has other numbers, one line per report."""
    reasons = {"A": row.a, "B": row.b}
    for side, value in reasons.items():
        if value is not None:
            what = cut_middle(row.what, _LONGEST_WHAT)
            reason = cut_middle(str(value), _LONGEST_TEXT)
            yield hanging_paragraph(f"{row.verdict:<9}  ", f"{what} in {side}: {reason}")


def _unmatched(difference: DiffReport) -> Iterator[str]:
    """Name the figures that only one report has."""
    for verdict in (ONLY_A, ONLY_B):
        rows = [row for row in difference.rows if row.verdict == verdict]
        if rows:
            names = [cut_middle(row.what, _LONGEST_WHAT) for row in rows]
            yield hanging_paragraph(f"{verdict}  ", list_names(names))


_SAMPLES = ("compared on", "samples compared", "test data")


def _notes(changed: list[DifferenceRow]) -> Iterator[str]:
    if any(row.what in _SAMPLES for row in changed):
        yield "A and B ran on different samples, which may by itself change metrics and errors"


def _verdict(difference: DiffReport) -> str:
    counts = {word: difference.count(word) for word in _CHANGED}
    same = difference.count(SAME)
    changes = [f"{number:,} {word}" for word, number in counts.items() if number]
    unchanged = "1 figure is the same" if same == 1 else f"{same:,} figures are the same"
    word = "WORSE" if counts[WORSE] else "BETTER" if counts[BETTER] else "NOT WORSE"
    return f"{word}: {', '.join(changes) or 'no figure in both reports differs'}; {unchanged}"
