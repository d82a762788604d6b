"""What could not be done or compared, and why."""

from __future__ import annotations

from collections.abc import Iterable

from edgepack.report.document.block_shortcuts import bullets
from edgepack.report.document.blocks import Section


def notes(told: Iterable[str]) -> Section | None:
    """List the notes."""
    blocks = bullets(told)
    return Section(id="notes", title="Notes", lead=None, blocks=blocks) if blocks else None
