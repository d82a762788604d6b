"""The inputs of each model of a firmware: the file, its labels, preprocessing and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgepack.calibration.datasets.sources import find_source
from edgepack.config.firmware import ONLY_MODEL, FirmwareConfig
from edgepack.config.inputs import without_none
from edgepack.config.labels import read_labels
from edgepack.config.project_file import ProjectFile, read_project_file
from edgepack.core.errors import ConfigError
from edgepack.emit.c.c_identifiers import c_model_names
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.origin import companion_files
from edgepack.pipeline.validation.read_inputs import ParsedFile, read_file
from edgepack.storage.provenance import describe_data, describe_read

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelInputs:
    """A model's file, and the settings and data that belong to it."""

    file: ParsedFile
    labels: tuple[str, ...]
    labels_file: Path | None
    project_file: ProjectFile
    test: Any

    @property
    def inputs(self) -> dict[str, Any]:
        """The files and data of the model, by role."""
        return without_none(
            model=self.file.path,
            labels=self.labels_file,
            recipe_file=self.project_file.path,
            test=self.test,
        )

    @property
    def read(self) -> list[Any]:
        """Everything that is read for the model, including files beside it."""
        return [*self.inputs.values(), *companion_files(self.file.path)]

    @property
    def described(self) -> dict[str, Any]:
        """The files and data by role, described by name and content."""
        inputs = {role: describe_data(data) for role, data in self.inputs.items()}
        return inputs | {"model": describe_read(self.file.path, self.file.artifact)}


def read_model_inputs(config: FirmwareConfig) -> dict[str, ModelInputs]:
    """Read the inputs of each model; returns them by the prefix of the model's C symbols.

    Raises an :class:`~edgepack.core.errors.UsageError` for impossible names, and for files that
    cannot be read, and :class:`~edgepack.core.errors.MissingToolError` for data that need a package
    which is not installed.
    """
    files = [read_file(source.path) for source in config.models]
    titles = [source.name or default_name(source.path) for source in config.models]
    names = c_model_names(titles)
    labels = _by_name("labels", config.labels, titles)
    project_files = _by_name("preprocessing", config.project_files, titles)
    tests = _by_name("test", config.tests, titles)
    for test in tests.values():
        find_source(test)
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
    option: str, values: Mapping[str, _Value], titles: Sequence[str]
) -> Mapping[str, _Value]:
    """Return an option's values by model title.

    Raises :class:`ConfigError` for an unknown model, or a value that names none of several models.
    """
    if ONLY_MODEL in values:
        if len(titles) > 1:
            raise ConfigError(
                f"--{option} {values[ONLY_MODEL]}: does not name its model; write"
                f" --{option} {titles[0]}={values[ONLY_MODEL]}"
            )
        return {titles[0]: values[ONLY_MODEL]}
    if unknown := sorted(values.keys() - set(titles)):
        raise ConfigError(
            f"--{option} {unknown[0]}=...: there is no such model; the models are"
            f" {', '.join(titles)}"
        )
    return values
