"""Techniques that compress a model before it is converted, each a step of a recipe's list.

A technique is a :class:`~edgepack.compression.technique.Technique` with its settings, its record
and what the report says of it; adding one is adding its file, and its entry to :data:`TECHNIQUES`.
What needs TensorFlow is imported where it runs.
"""

from __future__ import annotations

import difflib
from typing import Any

from edgepack.compression.pruning.magnitude import PRUNING
from edgepack.compression.technique import Technique
from edgepack.config.export import CompressionStep
from edgepack.config.tables import settings_from_table
from edgepack.core.errors import ConfigError, TableError

TECHNIQUES: dict[str, Technique] = {PRUNING.name: PRUNING}


def technique(name: str) -> Technique:
    """Find a technique by its name. Raises :class:`ConfigError` for one that is not known."""
    if name not in TECHNIQUES:
        near = difflib.get_close_matches(name, TECHNIQUES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"technique {name!r}: {hint}the techniques are {', '.join(TECHNIQUES)}")
    return TECHNIQUES[name]


def parse_step(table: Any, name: str = "compress") -> CompressionStep:
    """Make a step of a table: its ``technique``, and the technique's settings.

    Raises :class:`ConfigError` and :class:`~edgepack.core.errors.TableError` for what does not fit.
    """
    if not isinstance(table, dict):
        raise TableError(f"{name!r} must be a table: write [[{name}]]")
    given = dict(table)
    chosen = given.pop("technique", None)
    if not isinstance(chosen, str):
        raise TableError(f"[{name}]: 'technique' must be one of {', '.join(TECHNIQUES)}")
    return settings_from_table(technique(chosen).settings, given, name)


def parse_steps(tables: Any) -> tuple[CompressionStep, ...]:
    """Make the steps of ``[[compress]]``; several are told apart by their numbers."""
    if not isinstance(tables, list):
        raise TableError("'compress' is a list of steps: write [[compress]]")
    if len(tables) == 1:
        return (parse_step(tables[0]),)
    return tuple(parse_step(each, f"compress {n}") for n, each in enumerate(tables, 1))
