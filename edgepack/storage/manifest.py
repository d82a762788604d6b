"""The manifest of an output folder: its files, and how they were made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from edgepack.config.quantization import Quantization
from edgepack.config.shared_settings import DEFAULT_OBSERVER, DEFAULT_SEED
from edgepack.core.codec import as_json, restore
from edgepack.core.errors import AlteredError
from edgepack.core.schema_version import SCHEMA
from edgepack.core.user_files import is_special
from edgepack.storage.artifact import Artifact, describe
from edgepack.storage.text_files import write_json

T = TypeVar("T")

MANIFEST = "manifest.json"

RECIPE = "recipe"
"""The key of the recipe in a manifest."""

MADE_FROM = "made_from"
"""The key of what a file was made from, in the entry of that file in a manifest."""

_MAX_DEPTH = 64
_MAX_BYTES = 64 << 20
_TOO_DEEP = "it is nested too deeply"
_COMMON_KEYS = {"schema", "command", "artifacts", "versions"}


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """How a model was calibrated and quantized; ``ranges`` describes the file of its ranges."""

    samples: int | None = None
    seed: int = DEFAULT_SEED
    observer: str = DEFAULT_OBSERVER
    ranges: dict[str, Any] | None = None
    quantization: Quantization = field(default_factory=Quantization)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model that a file was made from, as the manifest beside the file records it.

    ``weights`` is the SHA-256 of the file of its weights, if that was another; ``compress`` lists
    the techniques by which it was compressed, in order. ``made_from`` is what the model itself was
    made from, None if it lay beside no manifest.
    """

    name: str
    bytes: int
    sha256: str
    weights: str | None = None
    compress: tuple[str, ...] = ()
    made_from: Source | None = None

    @property
    def chain(self) -> Iterator[Source]:
        """Yield the model, what that was made from, and so on."""
        source: Source | None = self
        while source is not None:
            yield source
            source = source.made_from


@dataclass(frozen=True)
class RecordedRecipe:
    """The recipe in a manifest, which may be untrusted, or from another version of edgepack.

    ``values`` is the JSON: the settings by name, and the inputs by role.
    """

    values: Mapping[str, Any]

    @property
    def model(self) -> str | None:
        """The name of the file that the model came from."""
        return self._text("model", "name")

    @property
    def scheme(self) -> str | None:
        """The quantization scheme of the model, which this version may not know."""
        return self._text("quantization", "scheme")

    @property
    def is_compressed(self) -> bool:
        """Whether the model was compressed; earlier manifests know only pruning."""
        return bool(self.values.get("compress") or self.values.get("prune"))

    @property
    def last_technique(self) -> str | None:
        """The technique of the last compression step; None if the manifest lists no steps."""
        steps = _fitting(list[Any], self.values.get("compress"))
        if not steps:
            return None
        last = _fitting(dict[str, Any], steps[-1]) or {}
        return _fitting(str, last.get("technique")) or ""

    @property
    def source(self) -> Source | None:
        """The model that the recipe was applied to; None if its entry is invalid."""
        steps = _fitting(list[dict[str, Any]], self.values.get("compress")) or []
        techniques = [each.get("technique") for each in steps]
        if self.values.get("prune"):  # in manifests of earlier versions
            techniques = ["prune"]
        weights, model = (
            _fitting(dict[str, Any], self.values.get(role)) or {} for role in ("weights", "model")
        )
        members = {name: model.get(name) for name in ("name", "bytes", "sha256", MADE_FROM)}
        decisive = {"weights": weights.get("sha256"), "compress": techniques}
        return _fitting(Source, members | decisive)

    def settings(self) -> CalibrationSettings:
        """Return how the model was quantized; missing settings have their defaults.

        Raises ValueError for invalid settings.
        """
        defaults = as_json(CalibrationSettings())
        return restore(
            CalibrationSettings, {name: self.values.get(name, defaults[name]) for name in defaults}
        )

    def _text(self, name: str, key: str) -> str | None:
        members = _fitting(dict[str, Any], self.values.get(name)) or {}
        return _fitting(str, members.get(key))


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The files of a folder and how they were made: reproducible, without times or places.

    ``command`` wrote the folder, and only that command may replace it. ``artifacts`` are keyed by
    path in the folder. ``request`` holds what was requested, by key, such as the recipe.
    ``versions`` are those of the packages that were used.

    A manifest that was read may be untrusted: ``schema`` and ``command`` are None if edgepack
    cannot have written them, and so is an artifact whose entry is invalid.
    """

    command: str | None
    artifacts: Mapping[str, Artifact | None]
    request: Mapping[str, Any]
    versions: Mapping[str, str]
    schema: int | None = SCHEMA

    def write(self, folder: Path) -> None:
        """Write manifest.json to the folder that it describes."""
        write_json(folder / MANIFEST, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the content of manifest.json."""
        return {
            "schema": self.schema,
            "command": self.command,
            "artifacts": {name: each and asdict(each) for name, each in self.artifacts.items()},
            **self.request,
            "versions": dict(self.versions),
        }

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """Read the manifest of a folder; None if there is none that edgepack wrote."""
        try:
            return _manifest(_parse(folder / MANIFEST))
        except (OSError, ValueError):
            return None

    @classmethod
    def beside(cls, path: Path) -> Manifest | None:
        """Read the manifest beside a file; None if there is none that lists the file."""
        manifest = cls.read(path.parent)
        return manifest if manifest and path.name in manifest.artifacts else None

    @property
    def is_current(self) -> bool:
        """Whether it has the schema version that this version of edgepack writes."""
        return self.schema == SCHEMA

    def is_unaltered(self, path: Path) -> bool:
        """Whether a file beside the manifest still has the content that is listed."""
        return self.artifacts.get(path.name) == describe(path)

    @property
    def recipe(self) -> RecordedRecipe | None:
        """The recipe that made the folder; None for a command without one."""
        recipe = _fitting(dict[str, Any], self.request.get(RECIPE))
        return None if recipe is None else RecordedRecipe(recipe)


def find_source(path: Path) -> Source | None:
    """Return what a file was made from; None if no manifest beside it lists its content."""
    manifest = Manifest.beside(path)
    if manifest is None or manifest.recipe is None or not manifest.is_unaltered(path):
        return None
    return manifest.recipe.source


def require_unaltered(path: Path) -> None:
    """Raise :class:`AlteredError` if a file differs from the one that the manifest beside it lists.

    Also raises it for an unreadable manifest, which may have listed the file.
    """
    beside = path.parent / MANIFEST
    try:
        if beside.exists():
            _parse(beside)
    except (OSError, ValueError) as error:
        raise AlteredError(
            f"{path}: cannot be verified against {MANIFEST} beside it, which is damaged ({error});"
            " export it again, or move it elsewhere"
        ) from error
    manifest = Manifest.beside(path)
    if manifest and manifest.artifacts[path.name] and not manifest.is_unaltered(path):
        raise AlteredError(
            f"{path}: is not the file that {MANIFEST} beside it lists (its SHA-256 differs);"
            " export it again, or move it elsewhere if it is meant to differ"
        )


def _parse(path: Path) -> Any:
    if is_special(path):
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES >> 20} MiB")
    try:
        content = json.loads(data)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [content]
    for _ in range(_MAX_DEPTH):
        level = list(chain.from_iterable(map(_members, level)))
    if level:  # the functions that process it are recursive
        raise ValueError(_TOO_DEEP)
    return content


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _manifest(content: Any) -> Manifest:
    """Interpret the JSON of a manifest; raises ValueError if edgepack did not write it."""
    members = restore(dict[str, Any], content)
    artifacts = restore(dict[str, Any], members.get("artifacts"))
    versions = restore(dict[str, str], members.get("versions"))
    if not artifacts or "edgepack" not in versions:
        raise ValueError("it lists nothing that edgepack wrote")
    command = _fitting(str, members.get("command"))
    return Manifest(
        schema=_fitting(int, members.get("schema")),
        command=command if command and command.isalpha() else None,
        artifacts={name: _fitting(Artifact, each) for name, each in artifacts.items()},
        request={name: value for name, value in members.items() if name not in _COMMON_KEYS},
        versions=versions,
    )


def _fitting(kind: type[T], value: Any) -> T | None:
    """Restore a JSON value; None if it does not fit."""
    try:
        return restore(kind, value)
    except ValueError:
        return None
