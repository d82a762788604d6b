"""The blocks of a document, whatever its format. Texts are plain: writers escape them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Union
from xml.etree.ElementTree import Element


class Tone(str, Enum):
    """Whether a text is good news, bad news or unsure; never shown by color alone."""

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
    """A column of a table; numbers are aligned right, ``hint`` explains the column."""

    title: str
    is_number: bool = False
    hint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table: a text for each column. The first is the row's heading."""

    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; its caption also names it for screen readers."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plot:
    """A plot: an ``svg`` element of :mod:`edgepack.report.plots`.

    ``description`` is its text alternative, a sentence or two; ``table`` has the same figures, and
    is collapsed below the plot.
    """

    title: str
    description: str
    svg: Element
    table: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture, as the bytes of a PNG file, its text alternative, and its size in pixels."""

    description: str
    png: bytes
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Card:
    """A sample: its plots and pictures, and lines of text about it."""

    title: str
    media: tuple[Plot | Picture, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cards:
    """Samples side by side; ``label`` names them for screen readers."""

    label: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Details:
    """Collapsed blocks below a summary."""

    summary: str
    blocks: tuple[Block, ...]


Block = Union[Text, Bullets, Table, Plot, Cards, Details]  # noqa: UP007 (Details is not yet known)


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """A section of a page; ``lead`` is a sentence that explains it, ``id`` its anchor."""

    id: str
    title: str
    lead: str | None
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The verdict: a few words, and the sentences below them."""

    word: str
    tone: Tone
    sentences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Document:
    """A page: title, verdict and sections."""

    title: str
    subtitle: str
    headline: Headline
    sections: tuple[Section, ...]
