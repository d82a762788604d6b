"""Numbers as JSON can hold them."""

from __future__ import annotations

from math import isfinite
from typing import Any


def finite(value: Any) -> Any:
    """Put None for what is no finite number, which JSON has no word for.

    >>> finite({"range": (0.0, float("inf"))})
    {'range': [0.0, None]}
    """
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
