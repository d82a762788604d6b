"""Source text common to Kotlin and Swift: templates, literals, expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.c.source_text import c_float, c_rows

_WIDTH = 90  # of a list, which is indented later
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_PLACEHOLDER = re.compile(r"^( *)@(\w+)@$|@(\w+)@", re.MULTILINE)


def fill_template(template: str, **values: str) -> str:
    r"""Replace each placeholder ``@name@`` by its value; one without a value stays.

    If a placeholder is on a line of its own, all lines of its value get its indentation, and an
    empty value removes the line.

    >>> print(fill_template("a @b@\n  @c@\n@d@\ne", b="x", c="y\nz", d=""))
    a x
      y
      z
    e
    """

    def substitute(match: re.Match[str]) -> str:
        value = values.get(match[2] or match[3], match[0].strip())
        if match[2] is None:
            return value
        return "\n".join(match[1] + line if line else "" for line in value.split("\n"))

    # An empty value removes its line, including the line break.
    for name in (name for name, value in values.items() if not value):
        template = re.sub(rf"^ *@{name}@\n", "", template, flags=re.MULTILINE)
    return _PLACEHOLDER.sub(substitute, template)


def string_literal(text: str, escape: str) -> str:
    r"""Write a string literal; ``escape`` is the language's format of an escaped code point.

    With ``%04x`` in it, characters are escaped as UTF-16 code units.

    >>> print(string_literal('a "b"', "\\u%04x"))
    "a \"b\""
    """
    return '"' + "".join(_ESCAPES.get(char) or _escaped(char, escape) for char in text) + '"'


def _escaped(char: str, escape: str) -> str:
    if char.isprintable():
        return char
    encoded = char.encode("utf-16-be", "surrogatepass") if "%04x" in escape else b""
    code_units = [int.from_bytes(encoded[i : i + 2], "big") for i in range(0, len(encoded), 2)]
    return "".join(escape % code for code in code_units or [ord(char)])


def wrapped_list(items: Iterable[str]) -> str:
    """Wrap comma-separated items into indented lines of up to 90 characters."""
    return c_rows(items, width=_WIDTH)


def float32_literal(value: float, suffix: str = "") -> str:
    """Write a float32 literal, with the language's suffix for one.

    >>> float32_literal(0.1, "f"), float32_literal(255.0), float32_literal(-1e-20)
    ('0.1f', '255.0', '-1e-20')
    """
    return c_float(value).removesuffix("f") + suffix


def float64_literal(value: float) -> str:
    """Write a float64 literal.

    >>> float64_literal(20), float64_literal(1e-06)
    ('20.0', '1e-06')
    """
    return repr(float(value))


def normalize_expression(
    preprocessing: Preprocessing, name: str, value: str, index: str, suffix: str
) -> str:
    """Write ``(value * scale + offset - mean) / std``, without the operations that change nothing.

    ``value`` and ``index`` are expressions. Per-channel means and standard deviations are the
    arrays ``inputMean`` and ``inputStd`` of the input called ``name``. They are indexed by
    ``index``: modulo the number of channels, unless it is ``channel``.

    >>> normalize_expression(Preprocessing(scale=0.5, std=(2.0, 4.0)), "input", "x", "i", "f")
    'x * 0.5f / inputStd[i % 2]'
    >>> normalize_expression(Preprocessing(offset=1.0, std=(2.0,)), "input", "x", "i", "")
    '(x + 1.0) / 2.0'
    """

    def operand(word: str, values: tuple[float, ...]) -> str:
        if len(values) == 1:
            return float32_literal(values[0], suffix)
        channel = index if index == "channel" else f"{index} % {len(values)}"
        return f"{name}{word}[{channel}]"

    text = (
        value
        if preprocessing.scale == 1
        else f"{value} * {float32_literal(preprocessing.scale, suffix)}"
    )
    addends = f" + {float32_literal(preprocessing.offset, suffix)}" if preprocessing.offset else ""
    addends += f" - {operand('Mean', preprocessing.mean)}" if any(preprocessing.mean) else ""
    text += addends
    if all(each == 1 for each in preprocessing.std):
        return text
    return f"{f'({text})' if addends else text} / {operand('Std', preprocessing.std)}"
