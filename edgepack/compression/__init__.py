"""Techniques that compress a model before conversion; an export lists them as steps.

A technique is a :class:`~edgepack.compression.technique.Technique` with its settings, its
record and its description in the report; to add one, add its file and its entry in
:data:`TECHNIQUES`. What needs TensorFlow is imported only where it runs.
"""

from __future__ import annotations

from typing import Any

from edgepack.compression.pruning.magnitude import PRUNING
from edgepack.compression.technique import Technique
from edgepack.config.compression_step import CompressionStep
from edgepack.config.known_words import require_one_of
from edgepack.config.tables import settings_from_table
from edgepack.core.errors import TableError

TECHNIQUES: dict[str, Technique] = {PRUNING.name: PRUNING}


def find_technique(name: str) -> Technique:
    """Return the technique of a name.

    Raises :class:`~edgepack.core.errors.ConfigError` for an unknown one.
    """
    require_one_of("technique", name, TECHNIQUES)
    return TECHNIQUES[name]


def parse_step(table: Any, name: str = "compress") -> CompressionStep:
    """Parse a table into a step: its ``technique``, and that technique's settings.

    ``name`` is the table's name in error messages. Raises
    :class:`~edgepack.core.errors.ConfigError` and :class:`~edgepack.core.errors.TableError` for
    invalid settings.
    """
    if not isinstance(table, dict):
        raise TableError(f"{name!r} must be a table: write [[{name}]]")
    settings = dict(table)
    technique_name = settings.pop("technique", None)
    if not isinstance(technique_name, str):
        raise TableError(f"[{name}]: 'technique' must be one of {', '.join(TECHNIQUES)}")
    return settings_from_table(find_technique(technique_name).settings, settings, name)


def parse_steps(tables: Any) -> tuple[CompressionStep, ...]:
    """Parse the steps of ``[[compress]]``; error messages number them if there are several."""
    if not isinstance(tables, list):
        raise TableError("'compress' is a list of steps: write [[compress]]")
    if len(tables) == 1:
        return (parse_step(tables[0]),)
    return tuple(parse_step(table, f"compress {n}") for n, table in enumerate(tables, 1))
