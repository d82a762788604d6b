"""The user's own classes and functions that a model is built of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgepack.core.errors import ModelError
from edgepack.core.user_code import import_named
from edgepack.load.configurations import entries, lookup_names


def import_objects(names: Iterable[str]) -> dict[str, Any]:
    """Import objects given as ``module:NAME``; return them by name.

    Modules are found on the Python path or in the working folder. Raises :class:`ModelError` for
    an object that cannot be imported.
    """
    objects: dict[str, Any] = {}
    for entry in names:
        module, _, name = entry.partition(":")
        if not module or not name.isidentifier():
            raise ModelError(
                f"custom object {entry!r}: write module:NAME, such as my_layers:Attention"
            )
        objects[name] = import_named(entry, f"custom object {entry!r}", ModelError)
        if objects[name] is None:
            raise ModelError(f"custom object {entry!r}: {module} has no {name}")
    return objects


def aliases(path: Path, configs: Iterable[Any], objects: dict[str, Any]) -> dict[str, Any]:
    """Return ``objects`` by the registered names, such as ``package>Scale``, in configurations."""
    by_alias: dict[str, Any] = {}
    for config in configs:
        for entry in entries(path, config):
            names = lookup_names(entry)
            simple = {name.rpartition(">")[2] for name in names} & objects.keys()
            if len(simple) == 1:
                by_alias |= dict.fromkeys(names, objects[simple.pop()])
    return by_alias
