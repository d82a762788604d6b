"""Elements of HTML and SVG. All text in them is plain: it is escaped when the tree is written."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from edgepack.core.printable import printable


def element(tag: str, *children: Element | str | None, **attributes: str | float | None) -> Element:
    """Make an element of texts and elements; children and attributes that are None are omitted.

    In an attribute's name, a trailing underscore is dropped (for Python's keywords), and others
    become hyphens. Numbers are rounded to hundredths.

    >>> from xml.etree.ElementTree import tostring
    >>> tostring(element("p", "1 < ", element("b", "2"), class_="note", aria_label="x", tabindex=0))
    b'<p class="note" aria-label="x" tabindex="0">1 &lt; <b>2</b></p>'
    """
    node = Element(
        tag,
        {
            name.removesuffix("_").replace("_", "-"): (
                printable_line(value) if isinstance(value, str) else f"{round(value, 2):g}"
            )
            for name, value in attributes.items()
            if value is not None
        },
    )
    for child in children:
        if isinstance(child, Element):
            node.append(child)
        elif child is not None and len(node):
            node[-1].tail = (node[-1].tail or "") + printable_line(child)
        elif child is not None:
            node.text = (node.text or "") + printable_line(child)
    return node


def printable_line(text: str) -> str:
    r"""Return a text as one printable line, with control and bidirectional characters escaped.

    >>> printable_line("two\nlines, \u202eturned\x00")
    'two lines, \\u202eturned\\x00'
    """
    return printable("".join(" " if c.isspace() else c for c in text))
