"""The manifest: what an exported folder holds, and what made it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from edgepack.config.export import DEFAULT_OBSERVER, DEFAULT_SEED
from edgepack.config.quantization import Quantization
from edgepack.core.codec import as_json, restore
from edgepack.core.errors import AlteredError
from edgepack.core.schema_version import SCHEMA
from edgepack.core.user_files import is_special
from edgepack.storage.artifact import Artifact, describe
from edgepack.storage.text_files import write_json

T = TypeVar("T")

MANIFEST = "manifest.json"

RECIPE = "recipe"
"""What a recipe is called among what was asked for."""

_DEEPEST = 64
_MOST_BYTES = 64 << 20
_TOO_DEEP = "it is nested too deeply"
_OF_ALL = {"schema", "command", "artifacts", "versions"}


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """How a model was calibrated and quantized; ``ranges`` describes the file that had them."""

    samples: int | None = None
    seed: int = DEFAULT_SEED
    observer: str = DEFAULT_OBSERVER
    ranges: dict[str, Any] | None = None
    quantization: Quantization = field(default_factory=Quantization)


@dataclass(frozen=True)
class RecordedRecipe:
    """The recipe in a manifest, which may be anybody's, or of an edgepack of another time.

    ``told`` is JSON: the settings by their names, and what went in by its role.
    """

    told: Mapping[str, Any]

    @property
    def model(self) -> str | None:
        """The name of the file that the model came from."""
        return self._text("model", "name")

    @property
    def scheme(self) -> str | None:
        """What the model was quantized to, which need not be a scheme that is known today."""
        return self._text("quantization", "scheme")

    @property
    def is_compressed(self) -> bool:
        """Whether the model was compressed; earlier manifests knew pruning alone."""
        return bool(self.told.get("compress") or self.told.get("prune"))

    @property
    def last_technique(self) -> str | None:
        """The technique of the last step of compression; None in manifests that list no steps."""
        steps = _fitting(list[Any], self.told.get("compress"))
        if not steps:
            return None
        last = _fitting(dict[str, Any], steps[-1]) or {}
        return _fitting(str, last.get("technique")) or ""

    def settings(self) -> CalibrationSettings:
        """How the model was quantized, by the defaults where nothing is told.

        Raises ValueError for settings that cannot be.
        """
        defaults = as_json(CalibrationSettings())
        return restore(
            CalibrationSettings, {name: self.told.get(name, defaults[name]) for name in defaults}
        )

    def _text(self, name: str, key: str) -> str | None:
        within = _fitting(dict[str, Any], self.told.get(name)) or {}
        return _fitting(str, within.get(key))


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a folder holds and what made it: content and names, the same at any place and time.

    ``command`` wrote the folder, and alone may replace it. ``artifacts`` are by their paths in the
    folder. ``asked`` holds what was asked for, under what it is called: a recipe, say.
    ``versions`` are those of the packages at work.

    One that was read may be anybody's: ``schema`` and ``command`` are None where they cannot be
    what edgepack writes, and so is an artifact of which it cannot be told what it was.
    """

    command: str | None
    artifacts: Mapping[str, Artifact | None]
    asked: Mapping[str, Any]
    versions: Mapping[str, str]
    schema: int | None = SCHEMA

    def write(self, folder: Path) -> None:
        """Write manifest.json into the folder that it is about."""
        write_json(folder / MANIFEST, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what manifest.json holds."""
        return {
            "schema": self.schema,
            "command": self.command,
            "artifacts": {name: each and asdict(each) for name, each in self.artifacts.items()},
            **self.asked,
            "versions": dict(self.versions),
        }

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """Read the manifest of a folder; None if edgepack did not write it."""
        try:
            return _manifest(_parse(folder / MANIFEST))
        except (OSError, ValueError):
            return None

    @classmethod
    def beside(cls, path: Path) -> Manifest | None:
        """Read the manifest beside a file; None if edgepack wrote none that lists the file."""
        found = cls.read(path.parent)
        return found if found and path.name in found.artifacts else None

    @property
    def is_current(self) -> bool:
        """Whether it is of the kind that is written today."""
        return self.schema == SCHEMA

    def is_unaltered(self, path: Path) -> bool:
        """Whether a file beside the manifest is there as it was written."""
        return self.artifacts.get(path.name) == describe(path)

    @property
    def recipe(self) -> RecordedRecipe | None:
        """The recipe that the folder was made by; None for a command that takes none."""
        told = _fitting(dict[str, Any], self.asked.get(RECIPE))
        return None if told is None else RecordedRecipe(told)


def require_unaltered(path: Path) -> None:
    """Raise :class:`AlteredError` if a file is not the one that the manifest beside it lists.

    A manifest that cannot be read may have listed it.
    """
    beside = path.parent / MANIFEST
    try:
        if beside.exists():
            _parse(beside)
    except (OSError, ValueError) as error:
        raise AlteredError(
            f"{path}: cannot be held against {MANIFEST} beside it, which is damaged ({error});"
            " export it again, or move it elsewhere"
        ) from error
    found = Manifest.beside(path)
    if found and found.artifacts[path.name] and not found.is_unaltered(path):
        raise AlteredError(
            f"{path}: is not the file that {MANIFEST} beside it lists (its SHA-256 is another);"
            " export it again, or move it elsewhere if it is meant to differ"
        )


def _parse(path: Path) -> Any:
    if is_special(path):
        raise ValueError("it is no file")
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES >> 20} MiB")
    try:
        told = json.loads(data)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [told]
    for _ in range(_DEEPEST):
        level = list(chain.from_iterable(map(_members, level)))
    if level:  # what goes through it later calls itself for each level
        raise ValueError(_TOO_DEEP)
    return told


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _manifest(told: Any) -> Manifest:
    """Make sense of a manifest; raises ValueError if it is not one of edgepack's."""
    members = restore(dict[str, Any], told)
    artifacts = restore(dict[str, Any], members.get("artifacts"))
    versions = restore(dict[str, str], members.get("versions"))
    if not artifacts or "edgepack" not in versions:
        raise ValueError("it lists nothing that edgepack wrote")
    command = _fitting(str, members.get("command"))
    return Manifest(
        schema=_fitting(int, members.get("schema")),
        command=command if command and command.isalpha() else None,
        artifacts={name: _fitting(Artifact, each) for name, each in artifacts.items()},
        asked={name: value for name, value in members.items() if name not in _OF_ALL},
        versions=versions,
    )


def _fitting(kind: type[T], value: Any) -> T | None:
    """Restore a value; None if it does not fit."""
    try:
        return restore(kind, value)
    except ValueError:
        return None
