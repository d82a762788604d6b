"""Documents as GitHub Flavored Markdown, for a comment or a pull request.

Texts stay texts: what Markdown would read as an element, a link, a picture or a table is escaped,
and what GitHub links afterwards, such as user names and issue numbers, is broken by a zero-width
space.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate

from edgepack.report.document.blocks import (
    Block,
    Bullets,
    Card,
    Cards,
    Document,
    Headline,
    Plot,
    Section,
    Table,
    Text,
    Tone,
)
from edgepack.report.format.markup import printable_line
from edgepack.report.format.text_table import NONE

_SIGNS = {Tone.PLAIN: "", Tone.GOOD: "✅ ", Tone.BAD: "❌ ", Tone.UNSURE: "❔ "}

_FOLD, _UNFOLD = "<details><summary>", "</details>"
_BREAK = "&#8203;"
# The start of user names, issue numbers, URLs and emoji, which a zero-width space breaks.
_LINKED_LATER = re.compile(r"[@#]|:(?=\S)|\bGH-(?=\d)|\bwww(?=\.)", re.IGNORECASE)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "\\": "&#92;"})
_MARKS = re.compile(r"[`*_\[\]~!$]")
_AT_THE_START = re.compile(r"^(\d{0,9})([-+.)])(?=[-\s]|$)")


MAX_CHARACTERS = 65_536
"""The most characters that GitHub accepts in a comment or a description."""

_LEFT_OUT = "(left out here because of its length: report.html has it)"


def render_markdown(document: Document) -> str:
    """Return a document as GitHub Flavored Markdown, the same text for the same document.

    To stay within ``MAX_CHARACTERS``, the longest collapsed blocks are left out first, then blocks
    from the end.
    """
    blocks = [
        f"## {_text(document.title)}",
        _text(document.subtitle),
        *_headline(document.headline),
        *(block for section in document.sections for block in _section(section)),
    ]
    return "\n\n".join(_within(list(filter(None, blocks)))) + "\n"


def _within(blocks: list[str]) -> list[str]:
    """Leave out blocks to stay within the limit; collapsed blocks keep their titles."""
    folded = (place for place, block in enumerate(blocks) if block.startswith(_FOLD))
    longest = sorted(folded, key=lambda place: -len(blocks[place]))
    for place in longest:
        if _length(blocks) > MAX_CHARACTERS:
            title = blocks[place].partition("\n")[0]
            blocks[place] = f"{title}\n\n{_LEFT_OUT}\n\n{_UNFOLD}"
    if _length(blocks) <= MAX_CHARACTERS:
        return blocks
    lengths = accumulate(_length([block]) for block in blocks)
    room = MAX_CHARACTERS - _length([_LEFT_OUT])
    return [*(block for block, end in zip(blocks, lengths, strict=True) if end <= room), _LEFT_OUT]


def _length(blocks: Sequence[str]) -> int:
    return sum(len(block) + len("\n\n") for block in blocks)


def _headline(headline: Headline) -> list[str]:
    verdict = f"**{_SIGNS[headline.tone]}{_text(headline.word) or NONE}**"
    return [verdict, *map(_text, headline.sentences)]


def _section(section: Section) -> list[str]:
    lead = _text(section.lead) if section.lead else ""
    return [f"### {_text(section.title) or NONE}", lead, *_blocks(section.blocks)]


def _blocks(blocks: Iterable[Block]) -> list[str]:
    return [text for block in blocks for text in _block(block)]


def _block(block: Block) -> list[str]:
    if isinstance(block, Text):
        return [_SIGNS[block.tone] + _text(block.text)]
    if isinstance(block, Bullets):
        return ["\n".join(f"- {_text(item) or NONE}" for item in block.items)]
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Plot):
        shown = [_text(block.description), *(_table(block.table) if block.table else ())]
        return _folded(block.title, shown)
    if isinstance(block, Cards):
        return ["\n".join(_card(card) for card in block.cards)]  # the block before names them
    return _folded(block.summary, _blocks(block.blocks))


def _table(table: Table) -> list[str]:
    titles = [_text(column.title) or NONE for column in table.columns]
    if not titles:
        return []
    lines = [
        titles,
        ["---:" if column.is_number else "---" for column in table.columns],
        *(
            [_SIGNS[row.tone] + (_text(row.cells[0]) or NONE), *map(_text, row.cells[1:])]
            for row in table.rows
        ),
    ]
    hints = [
        f"- {_text(column.title) or NONE}: {_text(column.hint)}"
        for column in table.columns
        if column.hint
    ]
    written = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return [f"{_text(table.caption) or NONE}:", written, "\n".join(hints)]


def _card(card: Card) -> str:
    lines = "; ".join(filter(None, map(_text, card.lines)))
    return f"- **{_text(card.title) or NONE}**" + (f" {lines}" if lines else "")


def _folded(title: str, inside: Iterable[str]) -> list[str]:
    """Collapse blocks. The title is HTML; after an empty line the blocks are Markdown again."""
    name = _without_links(html.escape(printable_line(title).strip(), quote=False)) or NONE
    shown = [f"{_FOLD}{name}</summary>", *inside, _UNFOLD]
    return ["\n\n".join(filter(None, shown))]


def _text(text: str) -> str:
    r"""Escape a text for Markdown.

    >>> _text("conv_1 <b> | @user")
    'conv\\_1 &lt;b&gt; &#124; @&#8203;user'
    >>> _text("1. https://x.y"), _text("- ![](x)")
    ('1\\. https:&#8203;//x.y', '\\- \\!\\[\\](x)')
    """
    marked = _MARKS.sub(r"\\\g<0>", printable_line(text).strip().translate(_ENTITIES))
    return _without_links(_AT_THE_START.sub(r"\1\\\2", marked))


def _without_links(text: str) -> str:
    """Break what GitHub would link in the rendered text, but not the entities in it."""
    return "".join(
        part if part.startswith("&") else _LINKED_LATER.sub(rf"\g<0>{_BREAK}", part)
        for part in re.split(r"(&#?\w+;)", text)
    )
