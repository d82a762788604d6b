"""Words that messages of several packages are made of."""

from __future__ import annotations


def counted(many: int, thing: str) -> str:
    """Write how many there are of a thing.

    >>> counted(1, "label"), counted(1000, "label")
    ('1 label', '1,000 labels')
    """
    return f"1 {thing}" if many == 1 else f"{many:,} {thing}s"
