"""Text of unknown origin, made fit for a terminal.

Names in files may hold anything: an escape sequence would change the terminal, and characters that
turn the direction of writing would show another name than the one that is there.
"""

from __future__ import annotations

_LONGEST = 120
_SEEN = {"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}", "\N{IDEOGRAPHIC SPACE}"}
"""What Unicode calls not printable, and scripts need: they turn nothing round."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Write what is not seen as itself, as Unicode has it, as Python's escapes, but for ``keep``.

    >>> print(printable("a\x1b[31m\u202eb\ud800\n"))
    a\x1b[31m\u202eb\ud800\n
    """
    if text.isprintable():
        return text
    return "".join(each if _is_seen(each) or each in keep else _escaped(each) for each in text)


def shown(name: object) -> str:
    """Quote a name for a message, cut if it is long.

    >>> shown("a" * 200) == repr("a" * 120 + "...")
    True
    """
    text = str(name)
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def _is_seen(character: str) -> bool:
    return character.isprintable() or character in _SEEN


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
