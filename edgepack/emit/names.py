"""Names of models as C identifiers."""

from __future__ import annotations

import re


def c_identifier(name: str) -> str:
    """Make a C identifier of any text: other characters become underscores.

    Callers append a word, such as ``_model``, which keeps clear of C's and C++'s keywords.

    >>> c_identifier("my-model v2"), c_identifier("3d"), c_identifier("__x__"), c_identifier("é")
    ('my_model_v2', 'm3d', 'x', 'm')
    """
    # Two underscores in a row, or one at the start, are the compiler's own (C++17 5.10).
    safe = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return safe if safe[:1].isalpha() else f"m{safe}"
