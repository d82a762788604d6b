"""Techniques that compress a model before it is converted, one file each.

A technique's file holds its settings, its record, what the report says of it, and a
:class:`~edgepack.compress.technique.Technique`; adding one is adding its file, and its entry to
:data:`TECHNIQUES`. What needs TensorFlow is imported where it runs.
"""

from __future__ import annotations

import difflib

from edgepack.compress.pruning import PRUNING
from edgepack.compress.technique import Technique
from edgepack.errors import RecipeError

TECHNIQUES: dict[str, Technique] = {PRUNING.name: PRUNING}


def technique(name: str) -> Technique:
    """Find a technique by its name. Raises :class:`RecipeError` for one that is not known."""
    if name not in TECHNIQUES:
        near = difflib.get_close_matches(name, TECHNIQUES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RecipeError(f"technique {name!r}: {hint}the techniques are {', '.join(TECHNIQUES)}")
    return TECHNIQUES[name]
