"""Looks into differences of reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgepack.report.differences.difference import DifferenceRow, DiffReport

Write = Callable[[str, Any], Path]
DifferenceOf = Callable[[Any, Any], DiffReport]


def row(difference: DiffReport, what: str) -> DifferenceRow:
    """Return the only row of a figure."""
    (only,) = [row for row in difference.rows if row.what == what]
    return only


def changed(difference: DiffReport) -> dict[str, str]:
    """Return the verdicts on all figures that are not the same, by name."""
    return {row.what: row.verdict for row in difference.rows if row.verdict != "same"}
