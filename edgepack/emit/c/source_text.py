"""Pieces of C source text, valid C99 and C++11: literals, comments, array values, headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

C_TYPES = {
    "bool": "uint8_t",
    "float32": "float",
    "float64": "double",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "uint32": "uint32_t",
    "uint64": "uint64_t",
}
"""The C type of a tensor's values, by TFLite's type name in lower case."""

_WIDTH = 100
_MAX_TITLE = 60
_DOTS = "..."
_INDENT = "    "
_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "?": "\\?"}

_LONG_SIGNATURE = re.compile(rf"^(?=.{{{_WIDTH + 1}}})(static inline [^(]+\()(.+\))$", re.MULTILINE)

_HEADER = """\
#ifndef {guard}
#define {guard}

{includes}{body}
#endif /* {guard} */
"""


def c_string(text: str) -> str:
    r"""Write an ASCII string literal; other characters become octal escapes of their UTF-8 bytes.

    Question marks are escaped so that no two of them can begin a trigraph.

    >>> print(c_string('say "ä"?'))
    "say \"\303\244\"\?"
    """
    return '"' + "".join(_ESCAPED.get(char) or _ascii(char) for char in text) + '"'


def _ascii(char: str) -> str:
    if char.isascii() and char.isprintable():
        return char
    # Octal escapes end after three digits; hexadecimal ones would run on into the following text.
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "replace"))


def c_comment(text: str) -> str:
    """Make text safe inside a block comment: printable ASCII that neither ends nor nests one.

    Other characters become ``?``.

    >>> c_comment("a */ b")
    'a * / b'
    """
    plain = "".join(char if char.isascii() and char.isprintable() else "?" for char in text)
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("??/", "?? /")


def c_title(text: str) -> str:
    """Make a title safe inside a block comment, cut to 60 characters.

    >>> len(c_title("x" * 300))
    60
    """
    short = text if len(text) <= _MAX_TITLE else f"{text[: _MAX_TITLE - len(_DOTS)]}{_DOTS}"
    return c_comment(short)


def c_float(value: float) -> str:
    """Write a float32 literal with just the digits that distinguish it from its neighbors.

    Raises :class:`ValueError` for NaN and infinity, for which C has no literals.

    >>> c_float(0.5), c_float(1), c_float(1e-20), c_float(0.1)
    ('0.5f', '1.0f', '1e-20f', '0.1f')
    """
    digits = str(np.float32(value))
    if digits.lstrip("+-") in ("inf", "nan"):
        raise ValueError(f"{value} has no literal in C")
    return digits + ("f" if "." in digits or "e" in digits else ".0f")


def c_rows(values: Iterable[object], indent: str = _INDENT, width: int = _WIDTH) -> str:
    """Wrap comma-separated values of an array initializer into lines of up to ``width``."""
    lines, line = [], indent
    for value in values:
        item = f"{value}, "
        if len(line) + len(item) > width and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += item
    return "\n".join([*lines, line.rstrip().removesuffix(",")])


def c_header(guard: str, body: str, includes: Sequence[str] = ()) -> str:
    """Wrap ``body`` into a header with an include guard.

    ``includes`` come with their brackets or quotes: ``<stdint.h>``, ``"a.h"``. If the signature of
    a ``static inline`` function is longer than a line, its parameters go on the next one.

    >>> print(c_header("A_H", "#define A 1", ["<stdint.h>"]))
    #ifndef A_H
    #define A_H
    <BLANKLINE>
    #include <stdint.h>
    <BLANKLINE>
    #define A 1
    <BLANKLINE>
    #endif /* A_H */
    <BLANKLINE>
    """
    lines = "".join(f"#include {name}\n" for name in includes)
    body = _LONG_SIGNATURE.sub(rf"\1\n{_INDENT}\2", body.rstrip("\n"))
    return _HEADER.format(guard=guard, includes=f"{lines}\n" if lines else "", body=f"{body}\n")
