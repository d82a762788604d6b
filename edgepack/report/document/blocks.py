"""What a page is made of, whatever it is written as. Texts are plain: writers escape them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Union
from xml.etree.ElementTree import Element


class Tone(str, Enum):
    """How something is meant; a page never tells it by its colour alone."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, kw_only=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table; numbers are set right, ``hint`` says what they are."""

    title: str
    is_number: bool = False
    hint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table: a text for each column. The first one names the row."""

    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the caption names it for those who do not see it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plot:
    """A drawing: an ``svg`` element of :mod:`edgepack.report.plots`.

    ``description`` tells in a sentence or two what it shows, to those who do not see it; ``table``
    has the same figures, folded in below it.
    """

    title: str
    description: str
    svg: Element
    table: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture (a PNG file's bytes), shown larger than its few pixels."""

    description: str
    png: bytes
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Card:
    """A sample: what it looks like, and what is to be said of it."""

    title: str
    media: tuple[Plot | Picture, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cards:
    """Samples side by side; ``label`` names them for those who do not see them."""

    label: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Details:
    """Blocks that are folded in until someone opens them."""

    summary: str
    blocks: tuple[Block, ...]


Block = Union[Text, Bullets, Table, Plot, Cards, Details]  # noqa: UP007 (Details is not yet known)


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """A part of a page; ``lead`` is the sentence that says what it shows."""

    id: str
    title: str
    lead: str | None
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The verdict: a word or a few, and the sentences below it."""

    word: str
    tone: Tone
    sentences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Document:
    """A page: what it is about, the verdict, then the sections."""

    title: str
    subtitle: str
    headline: Headline
    sections: tuple[Section, ...]
