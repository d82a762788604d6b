"""What could not be done or compared, and why."""

from __future__ import annotations

from collections.abc import Iterable

from edgepack.report.page.document import Section
from edgepack.report.page.parts import bullets


def notes(told: Iterable[str]) -> Section | None:
    """List the notes."""
    blocks = bullets(told)
    return Section(id="notes", title="Notes", lead=None, blocks=blocks) if blocks else None
