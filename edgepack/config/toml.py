"""TOML parsing."""

from __future__ import annotations

import re
import sys
from typing import Any

from edgepack.core.errors import TableError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


_MAX_DEPTH = 100
"""The most parts of a dotted key; the parser needs minutes for a key with very many."""

_AROUND_KEYS = re.compile(r"[=,\[\]{}]")
_QUOTED_PART = re.compile(r"[\"'][ \t]*\.")

_LONG_NUMBER = re.compile(r"0[xob][0-9a-fA-F_]{1000}")
"""Python parses such numbers, but refuses to print them, even in an error message."""


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML. Raises :class:`TableError` for text that is not valid TOML."""
    if _has_deep_key(text):
        raise TableError("not valid TOML: a key is nested too deeply")
    if _LONG_NUMBER.search(text):
        raise TableError("not valid TOML: a number has too many digits")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TableError("not valid TOML: it is nested too deeply") from None
    except ValueError as error:  # also raised for a decimal number with too many digits
        raise TableError(f"not valid TOML: {error}") from error


def _has_deep_key(text: str) -> bool:
    """Whether any key may have that many parts; text in strings that looks like a key counts."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return any(
        len(_QUOTED_PART.findall(line)) >= _MAX_DEPTH
        or any(part.count(".") >= _MAX_DEPTH for part in _AROUND_KEYS.split(line))
        for line in lines
    )
