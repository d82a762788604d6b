"""The section of notes: what could not be done or compared, and why."""

from __future__ import annotations

from collections.abc import Iterable

from edgepack.core.wording import WARNING
from edgepack.report.document.block_shortcuts import bullet_blocks
from edgepack.report.document.blocks import Section


def notes_section(notes: Iterable[str]) -> Section | None:
    """Return a list of notes, without duplicates."""
    blocks = bullet_blocks(notes)
    return Section(id="notes", title="Notes", lead=None, blocks=blocks) if blocks else None


def warnings_among(notes: Iterable[str]) -> tuple[str, ...]:
    """Return the notes about likely mistakes, which a reader must know with the verdict."""
    return tuple(note for note in notes if note.startswith(WARNING))
