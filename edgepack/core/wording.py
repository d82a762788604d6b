"""Wording that messages of several packages share."""

from __future__ import annotations

WARNING = "warning: "
"""The start of a note about a likely mistake: a clause that can stand alone, ": " and the rest."""


def counted(many: int, thing: str) -> str:
    """Return a count with its noun, in the plural unless it is 1.

    >>> counted(1, "label"), counted(1000, "label")
    ('1 label', '1,000 labels')
    """
    return f"1 {thing}" if many == 1 else f"{many:,} {thing}s"


def brief(warning: str) -> str:
    """Return the clause of a warning that can stand alone.

    >>> brief("warning: the weights differ: those of all layers; compare it with another")
    'warning: the weights differ'
    """
    return WARNING + warning.removeprefix(WARNING).partition(": ")[0]
