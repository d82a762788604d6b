"""What an app on a phone is to be given of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgepack.config.export import only_given
from edgepack.core.former_names import former_argument


@former_argument("recipe_file", "project_file")
@dataclass(frozen=True, kw_only=True)
class PhoneConfig:
    """A .tflite file for an app.

    ``labels`` is a text file, a label a line. ``project_file`` is as in
    :class:`~edgepack.config.export.Recipe`. ``name`` names the model, its files and the class that
    runs it; None takes that of the file, or of the model that edgepack made it of. ``description``
    is put into the metadata. ``output`` is the folder to write; an existing one is replaced only
    with ``force``.
    """

    model: Path
    output: Path
    labels: Path | None = None
    project_file: Path | None = None
    name: str | None = None
    description: str = ""
    force: bool = False

    @property
    def inputs(self) -> dict[str, Path]:
        """The files that are read, by their roles."""
        return only_given(model=self.model, labels=self.labels, recipe_file=self.project_file)
