"""Inputs of a command: files and folders, functions by name, and objects that provide samples."""

from __future__ import annotations

import os
import re
from typing import Any

_FUNCTION_NAME = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")


def without_none(**inputs: Any) -> dict[str, Any]:
    """Return the inputs that are not None, by role.

    >>> without_none(model="m.h5", weights=None)
    {'model': 'm.h5'}
    """
    return {role: data for role, data in inputs.items() if data is not None}


def is_function_name(text: str) -> bool:
    """Whether a text is ``module:function``, and no file or folder has that name.

    >>> is_function_name("my_data:samples"), is_function_name("data/x.npz")
    (True, False)
    """
    return bool(_FUNCTION_NAME.fullmatch(text)) and not os.path.exists(text)  # noqa: PTH110 (of any length)
