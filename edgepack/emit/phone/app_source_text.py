"""Pieces of source text that Kotlin and Swift have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.c.source_text import c_float, c_rows

_WIDTH = 90  # of a list, which is indented in turn
_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_PLACE = re.compile(r"^( *)@(\w+)@$|@(\w+)@", re.MULTILINE)


def fill(template: str, **values: str) -> str:
    r"""Put values into a template at ``@name@``; a place that is given none stays.

    On a line of its own each line of the value is indented alike, and an empty value takes the
    line with it.

    >>> print(fill("a @b@\n  @c@\n@d@\ne", b="x", c="y\nz", d=""))
    a x
      y
      z
    e
    """

    def put(found: re.Match[str]) -> str:
        value = values.get(found[2] or found[3], found[0].strip())
        if found[2] is None:
            return value
        return "\n".join(found[1] + line if line else "" for line in value.split("\n"))

    # An empty value takes the end of its line with it.
    for name in (name for name, value in values.items() if not value):
        template = re.sub(rf"^ *@{name}@\n", "", template, flags=re.MULTILINE)
    return _PLACE.sub(put, template)


def quoted(text: str, code: str) -> str:
    r"""Write a string literal; ``code`` is the language's escape of a character, by its number.

    >>> print(quoted('a "b"', "\\u%04x"))
    "a \"b\""
    """
    return '"' + "".join(_ESCAPED.get(char) or _shown(char, code) for char in text) + '"'


def _shown(char: str, code: str) -> str:
    if char.isprintable():
        return char
    units = char.encode("utf-16-be", "surrogatepass") if "%04x" in code else b""
    pairs = [int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2)]
    return "".join(code % unit for unit in pairs or [ord(char)])


def comma_separated(items: Iterable[str]) -> str:
    """Lay out items, indented, as many a line as fit."""
    return c_rows(items, width=_WIDTH)


def number_literal(value: float, suffix: str = "") -> str:
    """Write a float32 literal; ``suffix`` is what marks one.

    >>> number_literal(0.1, "f"), number_literal(255.0), number_literal(-1e-20)
    ('0.1f', '255.0', '-1e-20')
    """
    return c_float(value).removesuffix("f") + suffix


def double(value: float) -> str:
    """Write a float64 literal.

    >>> double(20), double(1e-06)
    ('20.0', '1e-06')
    """
    return repr(float(value))


def formula(described: Preprocessing, name: str, value: str, place: str, suffix: str) -> str:
    """Write ``(value * scale + offset - mean) / std``, without what changes nothing.

    Several means and standard deviations are arrays, ``inputMean`` and ``inputStd`` of the input
    ``name``; ``place`` tells the channel, perhaps among more values.

    >>> formula(Preprocessing(scale=0.5, std=(2.0, 4.0)), "input", "x", "i", "f")
    'x * 0.5f / inputStd[i % 2]'
    >>> formula(Preprocessing(offset=1.0, std=(2.0,)), "input", "x", "i", "")
    '(x + 1.0) / 2.0'
    """

    def of(word: str, values: tuple[float, ...]) -> str:
        if len(values) == 1:
            return number_literal(values[0], suffix)
        index = place if place == "channel" else f"{place} % {len(values)}"
        return f"{name}{word}[{index}]"

    text = value if described.scale == 1 else f"{value} * {number_literal(described.scale, suffix)}"
    added = f" + {number_literal(described.offset, suffix)}" if described.offset else ""
    added += f" - {of('Mean', described.mean)}" if any(described.mean) else ""
    text += added
    if all(each == 1 for each in described.std):
        return text
    return f"{f'({text})' if added else text} / {of('Std', described.std)}"
