"""Values that JSON can hold."""

from __future__ import annotations

from math import isfinite
from typing import Any


def finite_or_none(value: Any) -> Any:
    """Return a value with None for every float that is not finite, which JSON cannot hold.

    >>> finite_or_none({"range": (0.0, float("inf"))})
    {'range': [0.0, None]}
    """
    if isinstance(value, dict):
        return {key: finite_or_none(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_none(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
