"""Make text of unknown origin safe to print on a terminal.

Names in files may contain anything: an escape sequence would change the state of the terminal, and
bidirectional control characters would make a name look like another one.
"""

from __future__ import annotations

_LONGEST = 120
_HARMLESS = {"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}", "\N{IDEOGRAPHIC SPACE}"}
"""Characters that Unicode calls non-printable but scripts need; they do not change direction."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Replace non-printable characters, as Unicode defines them, by Python's escapes.

    The characters in ``keep`` stay as they are.

    >>> print(printable("a\x1b[31m\u202eb\ud800\n"))
    a\x1b[31m\u202eb\ud800\n
    """
    if text.isprintable():
        return text
    return "".join(each if _is_shown(each) or each in keep else _escaped(each) for each in text)


def quote_name(name: object) -> str:
    """Quote a name for a message, truncated to 120 characters.

    >>> quote_name("a" * 200) == repr("a" * 120 + "...")
    True
    """
    text = str(name)
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def _is_shown(character: str) -> bool:
    return character.isprintable() or character in _HARMLESS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
