"""Elements of HTML and SVG. What they hold is text: it is escaped when the tree is written."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from edgepack.core.printable import printable


def element(tag: str, *children: Element | str | None, **attributes: str | float | None) -> Element:
    """Make an element of texts and other elements; None, of children and attributes, is left out.

    An attribute's name ends with an underscore where Python has that word, and others stand for
    hyphens. Numbers are rounded to hundredths.

    >>> from xml.etree.ElementTree import tostring
    >>> tostring(element("p", "1 < ", element("b", "2"), class_="note", aria_label="x", tabindex=0))
    b'<p class="note" aria-label="x" tabindex="0">1 &lt; <b>2</b></p>'
    """
    made = Element(
        tag,
        {
            name.removesuffix("_").replace("_", "-"): (
                plain(value) if isinstance(value, str) else f"{round(value, 2):g}"
            )
            for name, value in attributes.items()
            if value is not None
        },
    )
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif child is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + plain(child)
        elif child is not None:
            made.text = (made.text or "") + plain(child)
    return made


def plain(text: str) -> str:
    r"""Make a text one line that can be shown: no control character, none that turns its direction.

    >>> plain("two\nlines, \u202eturned\x00")
    'two lines, \\u202eturned\\x00'
    """
    return printable("".join(" " if c.isspace() else c for c in text))
