"""Documents as HTML: one file that loads no resources and runs no scripts.

It is built as a tree, so that no text can become an element. In addition, its
Content-Security-Policy forbids scripts.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import groupby
from xml.etree.ElementTree import Element, tostring

from edgepack.report.document.blocks import (
    Block,
    Bullets,
    Card,
    Cards,
    Column,
    Details,
    Document,
    Headline,
    Picture,
    Plot,
    Row,
    Section,
    Table,
    Text,
    Tone,
)
from edgepack.report.format.markup import element, printable_line
from edgepack.report.format.text_table import NONE

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_CONTENT = "page-content"

_BRACKETED = re.compile(r"(?P<figure>[^([]+) (?P<aside>\(.+\)|\[.+\])")

# Icons, so that a tone is not shown by color alone: a tick, a cross, a question mark.
_ICONS = {
    Tone.GOOD: "M3 8.5 6.5 12 13 4.5",
    Tone.BAD: "M4 4 12 12 M12 4 4 12",
    Tone.UNSURE: "M5.2 5.6a2.8 2.8 0 1 1 4 2.6C8.3 8.7 8 9.2 8 10 M8 12.6v.6",
}


def render_html(document: Document) -> str:
    """Return a document as an HTML page, the same text for the same document."""
    return "<!DOCTYPE html>\n" + tostring(_page(document), encoding="unicode", method="html") + "\n"


def _page(document: Document) -> Element:
    writer = _Writer()
    return element(
        "html",
        _head(document),
        element(
            "body",
            element("a", "Skip to the sections", href=f"#{_CONTENT}", class_="skip"),
            element(
                "header",
                element("p", printable_line(document.subtitle), class_="subtitle"),
                element("h1", _text_or_dash(document.title)),
                _verdict(document.headline),
            ),
            _contents(document.sections),
            element(
                "main",
                *(writer.section(section) for section in document.sections),
                id=_CONTENT,
                tabindex=-1,
            ),
            element(
                "footer", "Made by edgepack. This page loads no resources and runs no scripts."
            ),
        ),
        lang="en",
    )


def _head(document: Document) -> Element:
    style = files("edgepack.report.document").joinpath("page.css").read_text(encoding="utf-8")
    css = element("style")
    css.text = "\n" + style  # element() would join the lines
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", _text_or_dash(document.title)),
        element("link", rel="icon", href="data:,"),  # or browsers request /favicon.ico
        css,
    )


def _verdict(headline: Headline) -> Element:
    return element(
        "div",
        element("h2", *_toned(headline.tone), _text_or_dash(headline.word)),
        *(element("p", sentence) for sentence in headline.sentences),
        class_=f"verdict {headline.tone.value}",
    )


def _contents(sections: Sequence[Section]) -> Element:
    links = [element("a", _text_or_dash(each.title), href=f"#{each.id}") for each in sections]
    return element(
        "nav", element("ul", *(element("li", link) for link in links)), aria_label="Sections"
    )


def _text_or_dash(text: str) -> str:
    """Return a text, or a dash if it is empty: headings and cells need an accessible name."""
    return printable_line(text) if text.strip() else NONE


def _toned(tone: Tone) -> tuple[Element, ...]:
    """Return a tone's icon, and its word for screen readers."""
    if tone is Tone.PLAIN:
        return ()
    path = element("path", d=_ICONS[tone])
    icon = element("svg", path, viewBox="0 0 16 16", class_="icon", aria_hidden="true")
    return icon, element("span", f"{tone.value}: ", class_="unseen")


def _class(tone: Tone, name: str = "") -> str | None:
    return " ".join(filter(None, (name, "" if tone is Tone.PLAIN else tone.value))) or None


class _Writer:
    """Writes blocks, and makes the names of regions unique in a page."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()

    def section(self, section: Section) -> Element:
        return element(
            "section",
            element("h2", _text_or_dash(section.title)),
            element("p", section.lead, class_="lead") if section.lead else None,
            *self._blocks(section.blocks),
            id=section.id,
        )

    def _blocks(self, blocks: Iterable[Block]) -> list[Element]:
        """Return blocks; consecutive plots are side by side where there is room."""
        written = []
        for are_plots, run in groupby(blocks, key=lambda block: isinstance(block, Plot)):
            elements = [self._block(block) for block in run]
            is_grid = are_plots and len(elements) > 1
            written += [element("div", *elements, class_="plots")] if is_grid else elements
        return written

    def _block(self, block: Block) -> Element:
        if isinstance(block, Text):
            return element("p", *_toned(block.tone), block.text, class_=_class(block.tone, "text"))
        if isinstance(block, Bullets):
            return element("ul", *(element("li", _text_or_dash(item)) for item in block.items))
        if isinstance(block, Table):
            return self._table(block)
        if isinstance(block, Plot):
            return self._plot(block)
        if isinstance(block, Cards):
            label = self._unique(block.label)
            cards = (element("li", self._card(card)) for card in block.cards)
            return element("ul", *cards, class_="cards", aria_label=label)
        return self._details(block)

    def _details(self, block: Details) -> Element:
        return element(
            "details",
            element("summary", _text_or_dash(block.summary)),
            element("div", *self._blocks(block.blocks), class_="inside"),
        )

    def _unique(self, name: str) -> str:
        name = _text_or_dash(name)
        self._uses[name] += 1
        return name if self._uses[name] == 1 else f"{name} ({self._uses[name]})"

    def _scrolling(self, content: Element, name: str) -> Element:
        """Make wide content scroll by itself: by touch, mouse or arrow keys."""
        label = self._unique(name)
        return element("div", content, class_="scroll", role="region", aria_label=label, tabindex=0)

    def _table(self, table: Table) -> Element:
        head = element("tr", *(_heading(column) for column in table.columns))
        rows = [_row(table.columns, row) for row in table.rows]
        if not rows:
            rows = [element("tr", element("td", "none", colspan=max(len(table.columns), 1)))]
        content = element(
            "table",
            element("caption", _text_or_dash(table.caption)),
            element("thead", head) if table.columns else None,
            element("tbody", *rows),
        )
        hints = [column for column in table.columns if column.hint]
        definitions = [
            part
            for column in hints
            for part in (element("dt", _text_or_dash(column.title)), element("dd", column.hint))
        ]
        return element(
            "div",
            self._scrolling(content, table.caption),
            element("dl", *definitions, class_="hints") if definitions else None,
            class_="table",
        )

    def _plot(self, plot: Plot) -> Element:
        """Return a figure; the ids of title and description are derived from the plot's id."""
        svg_id = plot.svg.get("id", "")
        title, description = f"{svg_id}-title", f"{svg_id}-description"
        svg = element("svg", element("desc", plot.description, id=description))
        svg.attrib.update(plot.svg.attrib)
        svg.set("role", "img")
        svg.set("aria-labelledby", title)
        svg.set("aria-describedby", description)
        svg.extend(plot.svg)
        is_wide = "wide" in plot.svg.get("class", "").split()
        return element(
            "figure",
            element("figcaption", _text_or_dash(plot.title), id=title),
            self._scrolling(svg, plot.title) if is_wide else svg,
            self._same_as_table(plot.table) if plot.table else None,
            class_="plot wide" if is_wide else "plot",
        )

    def _same_as_table(self, table: Table) -> Element:
        name = element("span", f": {_text_or_dash(table.caption)}", class_="unseen")
        return element(
            "details", element("summary", "As a table", name), self._table(table), class_="same"
        )

    def _card(self, card: Card) -> Element:
        is_alone = len(card.media) == 1
        media = [
            self._plot(each) if isinstance(each, Plot) else _picture(each, is_alone=is_alone)
            for each in card.media
        ]
        lines = [element("p", text) for text in card.lines]
        return element(
            "article",
            element("h3", _text_or_dash(card.title)),
            element("div", *media, class_="media") if media else None,
            *lines,
        )


def _heading(column: Column) -> Element:
    class_ = "number" if column.is_number else None
    if not column.title.strip():  # a heading without text would have no name
        return element("td", class_=class_)
    return element("th", column.title, scope="col", class_=class_)


def _row(columns: Sequence[Column], row: Row) -> Element:
    first, *others = row.cells
    cells = [element("th", *_toned(row.tone), _text_or_dash(first), scope="row")]
    for column, text in zip(columns[1:], others, strict=True):
        if column.is_number:
            cells.append(element("td", *_figure(text), class_="number"))
        else:
            cells.append(element("td", text))
    return element("tr", *cells, class_=_class(row.tone))


def _figure(text: str) -> Iterator[str | Element]:
    """Return a figure with what follows in brackets, such as its interval, below it."""
    parts = _BRACKETED.fullmatch(text)
    yield text if parts is None else parts["figure"]
    if parts:
        yield " "
        yield element("span", parts["aside"], class_="aside")


def _picture(picture: Picture, *, is_alone: bool) -> Element:
    image = element(
        "img",
        src="data:image/png;base64," + base64.b64encode(picture.png).decode("ascii"),
        alt=picture.description,
        width=picture.width,
        height=picture.height,
    )
    caption = None if is_alone else element("figcaption", picture.description, aria_hidden="true")
    return element("figure", image, caption, class_="picture")
