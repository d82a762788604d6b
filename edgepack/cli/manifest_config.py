"""``--config manifest.json``: what an export was asked, to ask it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.compression import parse_steps
from edgepack.config.export import CompressionStep
from edgepack.config.quantization import Quantization
from edgepack.core.codec import restore
from edgepack.core.errors import ConfigError, TableError
from edgepack.core.schema_version import SCHEMA

_EXPORT = "export"
_EXPORTS = (_EXPORT, "quantize", "debug")
_DATA = {
    "weights": "weights",
    "representative": "representative",
    "test": "test",
    "ranges": "ranges",
    "train": "train",
    "recipe_file": "config",
}
"""The option for each of the inputs, which a manifest names without their places."""


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """What a manifest says of the recipe, but for inputs and steps of compression."""

    custom_objects: tuple[str, ...]
    allow_unsafe: bool
    observer: str
    samples: int | None
    seed: int
    quantization: Quantization
    targets: tuple[str, ...]
    metric: str | None


@dataclass(frozen=True, kw_only=True)
class ManifestOptions:
    """What an export was asked: ``options`` are by their keys, as the command line takes them.

    ``inputs`` names what went in by its role. What runs code of somebody's own is not taken of a
    manifest, which may be anybody's: it has to be asked for again.
    """

    path: Path
    options: dict[str, Any]
    steps: tuple[CompressionStep, ...]
    inputs: dict[str, str]
    custom_objects: tuple[str, ...]
    is_unsafe: bool
    metric: str | None

    def require_again(self, options: Mapping[str, Any]) -> None:
        """Raise :class:`ConfigError` for what the export had and the command has not."""
        again = {role: name for role, name in self.inputs.items() if options.get(role) is None}
        if again:
            named = " and ".join(repr(name) for name in again.values())
            wanted = " and ".join(f"--{_DATA[role]}" for role in again)
            raise ConfigError(f"{self.path}: the export also used {named}: give it with {wanted}")
        if self.metric is not None and options.get("metric") is None:
            raise ConfigError(
                f"{self.path}: the metric {self.metric!r} runs code of its own: give it with"
                " --metric if you trust it"
            )
        if self.is_unsafe and not options["allow_unsafe"]:
            raise ConfigError(
                f"{self.path}: the model was let run code of its own: give --allow-unsafe if you"
                " trust it"
            )
        for name in self.custom_objects:
            if name not in options["custom_objects"]:
                raise ConfigError(
                    f"{self.path}: the model is built of {name!r}: give it with --custom-objects"
                )


def read_manifest(path: Path, text: str, command: str) -> ManifestOptions:
    """Read what the manifest of an export says of its recipe.

    Raises :class:`ConfigError` for any other JSON, and where ``command`` cannot do the same.
    """
    if command not in _EXPORTS:
        raise ConfigError(
            f"{path}: a manifest tells {', '.join(_EXPORTS)} what to do, not {command}; give a TOML"
            " file"
        )
    try:
        asked = _asked(path, restore(dict[str, Any], json.loads(text)))
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply; {_CURE}") from None
    except (ValueError, TableError, ConfigError) as error:
        raise ConfigError(f"{path}: is no manifest of an export ({error}); {_CURE}") from error
    if asked.steps and command != _EXPORT:
        raise ConfigError(f"{path}: the model was compressed, which export does, not {command}")
    return asked


_CURE = "give the manifest.json that export or quantize wrote"


def _asked(path: Path, manifest: dict[str, Any]) -> ManifestOptions:
    if manifest.get("command") not in _EXPORTS:
        raise ValueError("another command wrote it")
    if manifest.get("schema") != SCHEMA:
        raise ValueError("another edgepack wrote it")
    recipe = restore(dict[str, Any], manifest.get("recipe"))
    if recipe.get("prune"):
        raise ValueError("an earlier edgepack pruned the model, and tells how in another way")
    known = {name: recipe.get(name) for name in _Recipe.__dataclass_fields__}
    found = restore(_Recipe, known)
    quantization = found.quantization
    own_metric = found.metric if found.metric and ":" in found.metric else None
    options: dict[str, Any] = {
        "observer": found.observer,
        "samples": found.samples,
        "seed": found.seed,
        "metric": None if own_metric else found.metric,
        "scheme": quantization.scheme,
        "layer": [f"{pattern}={scheme}" for pattern, scheme in quantization.layers],
        "input-type": quantization.input_type,
        "output-type": quantization.output_type,
        "dense": quantization.dense,
        "target": list(found.targets),
    }
    inputs = {role: _named(recipe[role]) for role in _DATA if recipe.get(role) is not None}
    return ManifestOptions(
        path=path,
        options={key: value for key, value in options.items() if value is not None},
        steps=parse_steps(recipe.get("compress") or []),
        inputs=inputs,
        custom_objects=found.custom_objects,
        is_unsafe=found.allow_unsafe,
        metric=own_metric,
    )


def _named(described: Any) -> str:
    told = restore(dict[str, Any], described)
    return restore(str, told.get("name") or told.get("function") or told.get("object"))
