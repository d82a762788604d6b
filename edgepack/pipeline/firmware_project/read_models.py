"""What is asked for each model of a firmware, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgepack.config.export import only_given
from edgepack.config.firmware import LONE, Build
from edgepack.config.labels import read_labels
from edgepack.config.project_file import RecipeFile, read_recipe_file
from edgepack.core.errors import RecipeError
from edgepack.emit.c.c_identifiers import model_names
from edgepack.pipeline.naming import default_name
from edgepack.pipeline.origin import companions
from edgepack.pipeline.validation.read_inputs import File, read_file
from edgepack.storage.provenance import describe_data

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What is asked for one model."""

    file: File
    labels: tuple[str, ...]
    labels_file: Path | None
    recipe_file: RecipeFile
    test: Any

    @property
    def inputs(self) -> dict[str, Any]:
        """What is read for it, by its role."""
        return only_given(
            model=self.file.path,
            labels=self.labels_file,
            recipe_file=self.recipe_file.path,
            test=self.test,
        )

    @property
    def read(self) -> list[Any]:
        """All that is read for it."""
        return [*self.inputs.values(), *companions(self.file.path)]

    @property
    def described(self) -> dict[str, Any]:
        """Its files, by name and content."""
        return {role: describe_data(data) for role, data in self.inputs.items()}


def read_asked(build: Build) -> dict[str, Asked]:
    """Read what is asked for each model, by the name that its C symbols start with.

    Raises an :class:`~edgepack.core.errors.UsageError` for names that cannot be, and for files that
    cannot be read.
    """
    files = [read_file(source.path) for source in build.models]
    titles = [source.name or default_name(source.path) for source in build.models]
    names = model_names(titles)
    labels = _by_name("labels", build.labels, titles)
    recipe_files = _by_name("recipe", build.recipe_files, titles)
    tests = _by_name("test", build.tests, titles)
    return {
        name: Asked(
            file=file,
            labels=read_labels(labels[title]) if title in labels else (),
            labels_file=labels.get(title),
            recipe_file=read_recipe_file(recipe_files.get(title)),
            test=tests.get(title),
        )
        for name, title, file in zip(names, titles, files, strict=True)
    }


def _by_name(
    option: str, given: Mapping[str, _Value], titles: Sequence[str]
) -> Mapping[str, _Value]:
    """Find which model each value is for; raises :class:`RecipeError` where that is not said."""
    if LONE in given:
        if len(titles) > 1:
            raise RecipeError(
                f"--{option} {given[LONE]}: does not say of which model; write"
                f" --{option} {titles[0]}={given[LONE]}"
            )
        return {titles[0]: given[LONE]}
    if unknown := sorted(given.keys() - set(titles)):
        raise RecipeError(
            f"--{option} {unknown[0]}=...: there is no such model; the models are"
            f" {', '.join(titles)}"
        )
    return given
