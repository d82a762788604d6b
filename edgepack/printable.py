"""Text of unknown origin, made fit for a terminal.

Names in files may hold anything: an escape sequence would change the terminal, and characters that
turn the direction of writing would show another name than the one that is there.
"""

from __future__ import annotations

import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of characters that are not seen as themselves: controls, formats, none."""

_HARMLESS = {"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"}
"""Formats that words of some scripts need, and emoji; they turn nothing round."""

_LONGEST = 120


def printable(text: str, *, keep: str = "") -> str:
    r"""Write what a terminal would not show as itself as Python escapes, but for ``keep``.

    >>> print(printable("a\x1b[31m\u202eb\n"))
    a\x1b[31m\u202eb\n
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if each in keep or each in _HARMLESS or _is_seen(each) else _escaped(each)
        for each in text
    )


def shown(name: object) -> str:
    """Quote a name for a message, cut if it is long.

    >>> shown("a" * 200) == repr("a" * 120 + "...")
    True
    """
    text = str(name)
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in _UNSEEN


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
