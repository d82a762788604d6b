"""Settings of ``edgepack phone``: a model prepared for an app."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgepack.config.checked_settings import Settings
from edgepack.config.inputs import without_none
from edgepack.core.former_names import former_argument


@former_argument("recipe_file", "project_file")
@dataclass(frozen=True, kw_only=True)
class PhoneConfig(Settings):
    """Settings for preparing a .tflite file for an app.

    ``model`` is the file. ``labels`` is a text file with one label per line. ``project_file`` is as
    in :class:`~edgepack.config.export.ExportConfig`. ``name`` is used for the model, its files and
    the class that runs it; None derives it from the file, or from the model that edgepack exported
    it from. ``description`` goes into the metadata. ``output`` is the folder to write; an existing
    one is replaced only with ``force``.
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
        """The input files by role."""
        return without_none(model=self.model, labels=self.labels, recipe_file=self.project_file)
