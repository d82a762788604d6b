"""Classes and functions of the user's own that a model is built of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError
from edgepack.core.importing import import_named
from edgepack.load.configurations import entries, own_names


def import_objects(names: Iterable[str]) -> dict[str, Any]:
    """Import ``module:NAME`` each, from the path or the working folder; by the name in models.

    Raises :class:`ModelError` for what cannot be imported.
    """
    found: dict[str, Any] = {}
    for entry in names:
        module, _, name = entry.partition(":")
        if not module or not name.isidentifier():
            raise ModelError(
                f"custom object {entry!r}: write module:NAME, such as my_layers:Attention"
            )
        found[name] = import_named(entry, f"custom object {entry!r}", ModelError)
        if found[name] is None:
            raise ModelError(f"custom object {entry!r}: {module} has no {name}")
    return found


def aliases(path: Path, configs: Iterable[Any], objects: dict[str, Any]) -> dict[str, Any]:
    """Find the names, such as ``package>Scale``, by which a model asks for known objects."""
    found: dict[str, Any] = {}
    for config in configs:
        for entry in entries(path, config):
            names = own_names(entry)
            simple = {name.rpartition(">")[2] for name in names} & objects.keys()
            if len(simple) == 1:
                found |= dict.fromkeys(names, objects[simple.pop()])
    return found
