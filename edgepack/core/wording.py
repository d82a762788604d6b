"""Wording that messages of several packages share."""

from __future__ import annotations

WARNING = "warning: "
"""The start of a note about a likely mistake."""


def counted(many: int, thing: str) -> str:
    """Return a count with its noun, in the plural unless it is 1.

    >>> counted(1, "label"), counted(1000, "label")
    ('1 label', '1,000 labels')
    """
    return f"1 {thing}" if many == 1 else f"{many:,} {thing}s"
