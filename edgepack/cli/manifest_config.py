"""``--config manifest.json``: the settings of an export, to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepack.compression import parse_steps
from edgepack.config.budgets import parse_budgets
from edgepack.config.compression_step import CompressionStep
from edgepack.config.quantization import Quantization
from edgepack.config.tables import respell_keys
from edgepack.core.codec import restore
from edgepack.core.errors import ConfigError, TableError
from edgepack.core.schema_version import SCHEMA

_EXPORT = "export"
_EXPORTS = (_EXPORT, "quantize", "debug")
_INPUT_OPTIONS = {
    "weights": "weights",
    "representative": "representative",
    "test": "test",
    "ranges": "ranges",
    "train": "train",
    "recipe_file": "config",
}
"""The option for each input, by its role in a manifest, which does not record paths."""


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """The recipe in a manifest, without inputs and compression steps."""

    custom_objects: tuple[str, ...]
    allow_unsafe: bool
    observer: str
    samples: int | None
    seed: int
    quantization: Quantization
    split_outputs: bool | None
    targets: tuple[str, ...]
    metric: str | None


@dataclass(frozen=True, kw_only=True)
class ManifestOptions:
    """The settings of an export: ``options`` by their names on the command line, without dashes.

    ``inputs`` has the names of the inputs by their roles, and ``described`` all that is known of
    them, and of the model. A manifest may be untrusted, so settings that would run custom code are
    not used: they must be specified again.
    """

    path: Path
    options: dict[str, Any]
    steps: tuple[CompressionStep, ...]
    inputs: dict[str, str]
    described: dict[str, dict[str, Any]]
    custom_objects: tuple[str, ...]
    is_unsafe: bool
    metric: str | None

    def require_again(self, options: Mapping[str, Any]) -> None:
        """Raise :class:`ConfigError` for what the export used and the command line lacks."""
        missing = {role: name for role, name in self.inputs.items() if options.get(role) is None}
        if missing:
            names = " and ".join(repr(name) for name in missing.values())
            flags = " and ".join(f"--{_INPUT_OPTIONS[role]}" for role in missing)
            raise ConfigError(f"{self.path}: the export also used {names}: give {flags}")
        if self.metric is not None and options.get("metric") is None:
            raise ConfigError(
                f"{self.path}: the metric {self.metric!r} runs custom code: give --metric"
                " if you trust it"
            )
        if self.is_unsafe and not options["allow_unsafe"]:
            raise ConfigError(
                f"{self.path}: the model was allowed to run its own code: give --allow-unsafe if"
                " you trust it"
            )
        for name in self.custom_objects:
            if name not in options["custom_objects"]:
                raise ConfigError(f"{self.path}: the model uses {name!r}: give --custom-objects")


def read_manifest(path: Path, text: str, command: str) -> ManifestOptions:
    """Read the settings of an export from its manifest.

    Raises :class:`ConfigError` for any other JSON, and if ``command`` cannot apply them.
    """
    if command not in _EXPORTS:
        raise ConfigError(
            f"{path}: a manifest is a configuration for {', '.join(_EXPORTS)}, not for {command};"
            " give a TOML file"
        )
    try:
        manifest = _manifest_options(path, restore(dict[str, Any], json.loads(text)))
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply; {_CURE}") from None
    except (ValueError, TableError, ConfigError) as error:
        raise ConfigError(f"{path}: is not the manifest of an export ({error}); {_CURE}") from error
    if manifest.steps and command != _EXPORT:
        raise ConfigError(
            f"{path}: the model was compressed, which only export can do, not {command}"
        )
    return manifest


_CURE = "give the manifest.json that export or quantize wrote"


def _manifest_options(path: Path, manifest: dict[str, Any]) -> ManifestOptions:
    if manifest.get("command") not in _EXPORTS:
        raise ValueError("another command wrote it")
    if manifest.get("schema") != SCHEMA:
        raise ValueError("another version of edgepack wrote it")
    members = restore(dict[str, Any], manifest.get("recipe"))
    if members.get("prune"):
        raise ValueError("an earlier version of edgepack, with another format, pruned the model")
    known = {name: members.get(name) for name in _Recipe.__dataclass_fields__}
    recipe = restore(_Recipe, known)
    quantization = recipe.quantization
    budgets = parse_budgets(members.get("budgets") or {})
    custom_metric = recipe.metric if recipe.metric and ":" in recipe.metric else None
    options: dict[str, Any] = {
        "observer": recipe.observer,
        "samples": recipe.samples,
        "seed": recipe.seed,
        "metric": None if custom_metric else recipe.metric,
        "scheme": quantization.scheme,
        "layer": [f"{pattern}={scheme}" for pattern, scheme in quantization.layers],
        "input-type": quantization.input_type,
        "output-type": quantization.output_type,
        "dense": quantization.dense,
        "split-outputs": recipe.split_outputs or None,
        "target": list(recipe.targets),
    } | respell_keys(vars(budgets), "_", "-")
    inputs = {
        role: _name(members[role]) for role in _INPUT_OPTIONS if members.get(role) is not None
    }
    return ManifestOptions(
        path=path,
        options={key: value for key, value in options.items() if value is not None},
        steps=parse_steps(members.get("compress") or []),
        inputs=inputs,
        described={
            role: restore(dict[str, Any], members[role])
            for role in ("model", *_INPUT_OPTIONS)
            if members.get(role) is not None
        },
        custom_objects=recipe.custom_objects,
        is_unsafe=recipe.allow_unsafe,
        metric=custom_metric,
    )


def _name(description: Any) -> str:
    """Return the name of an input, as :func:`edgepack.storage.provenance.describe_data` has it."""
    members = restore(dict[str, Any], description)
    return restore(str, members.get("name") or members.get("function") or members.get("object"))
