"""What is asked for each model of a firmware, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgepack.config.export import only_given
from edgepack.config.firmware import LONE, FirmwareConfig
from edgepack.config.labels import read_labels
from edgepack.config.project_file import ProjectFile, read_project_file
from edgepack.core.errors import ConfigError
from edgepack.emit.c.c_identifiers import model_names
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.origin import companion_files
from edgepack.pipeline.validation.read_inputs import ValidatedFile, read_file
from edgepack.storage.provenance import describe_data

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelInputs:
    """What is asked for one model."""

    file: ValidatedFile
    labels: tuple[str, ...]
    labels_file: Path | None
    project_file: ProjectFile
    test: Any

    @property
    def inputs(self) -> dict[str, Any]:
        """What is read for it, by its role."""
        return only_given(
            model=self.file.path,
            labels=self.labels_file,
            recipe_file=self.project_file.path,
            test=self.test,
        )

    @property
    def read(self) -> list[Any]:
        """All that is read for it."""
        return [*self.inputs.values(), *companion_files(self.file.path)]

    @property
    def described(self) -> dict[str, Any]:
        """Its files, by name and content."""
        return {role: describe_data(data) for role, data in self.inputs.items()}


def read_model_inputs(build: FirmwareConfig) -> dict[str, ModelInputs]:
    """Read what is asked for each model, by the name that its C symbols start with.

    Raises an :class:`~edgepack.core.errors.UsageError` for names that cannot be, and for files that
    cannot be read.
    """
    files = [read_file(source.path) for source in build.models]
    titles = [source.name or default_name(source.path) for source in build.models]
    names = model_names(titles)
    labels = _by_name("labels", build.labels, titles)
    project_files = _by_name("preprocessing", build.project_files, titles)
    tests = _by_name("test", build.tests, titles)
    return {
        name: ModelInputs(
            file=file,
            labels=read_labels(labels[title]) if title in labels else (),
            labels_file=labels.get(title),
            project_file=read_project_file(project_files.get(title)),
            test=tests.get(title),
        )
        for name, title, file in zip(names, titles, files, strict=True)
    }


def _by_name(
    option: str, given: Mapping[str, _Value], titles: Sequence[str]
) -> Mapping[str, _Value]:
    """Find which model each value is for; raises :class:`ConfigError` where that is not said."""
    if LONE in given:
        if len(titles) > 1:
            raise ConfigError(
                f"--{option} {given[LONE]}: does not say of which model; write"
                f" --{option} {titles[0]}={given[LONE]}"
            )
        return {titles[0]: given[LONE]}
    if unknown := sorted(given.keys() - set(titles)):
        raise ConfigError(
            f"--{option} {unknown[0]}=...: there is no such model; the models are"
            f" {', '.join(titles)}"
        )
    return given
