"""Checks what must hold for every document and every text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from edgepack.report.document.blocks import (
    Block,
    Card,
    Cards,
    Details,
    Document,
    Picture,
    Plot,
    Section,
    Table,
)
from edgepack.report.format.text_table import WIDTH


def blocks_of(document: Document) -> Iterator[Block | Card | Picture]:
    """Return all blocks, cards and pictures of a page, including collapsed ones."""

    def inside(blocks: Any) -> Iterator[Block | Card | Picture]:
        for block in blocks:
            yield block
            if isinstance(block, Details):
                yield from inside(block.blocks)
            if isinstance(block, Cards):
                yield from block.cards
                yield from (each for card in block.cards for each in card.media)

    for section in document.sections:
        yield from inside(section.blocks)


def texts(value: Any) -> Iterator[str]:
    """Return every text in a dataclass or a sequence."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from texts(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name))


def check_document(document: Document) -> None:
    """Require unique ids, tables as wide as their columns, and plots with tables."""
    blocks = list(blocks_of(document))
    plots = [block for block in blocks if isinstance(block, Plot)]
    assert all(plot.table and plot.table.rows and plot.description for plot in plots)
    ids = [section.id for section in document.sections]
    ids += [each.attrib["id"] for plot in plots for each in plot.svg.iter() if "id" in each.attrib]
    assert len(ids) == len(set(ids))
    tables = [block for block in blocks if isinstance(block, Table)]
    tables += [plot.table for plot in plots if plot.table]
    for table in tables:
        assert table.caption
        assert {len(row.cells) for row in table.rows} <= {len(table.columns)}
    assert all(isinstance(text, str) for text in texts(document))


def section_of(document: Document, name: str) -> Section:
    """Return the section with that id."""
    return next(each for each in document.sections if each.id == name)


def check_text(text: str) -> None:
    """Require that a text is printable and no wider than a terminal."""
    for line in text.splitlines():
        assert len(line) <= WIDTH, line
        assert line.isprintable()
        assert line == line.rstrip()
