"""Makes environments of Python in which packages are missing, broken or of another version.

They are real ones, whose packages are links to those of this environment: nothing is downloaded,
and nothing in edgepack is replaced.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from edgepack.core.tensorflow_packages import TENSORFLOW_PACKAGES

TENSORFLOW = (
    *(each.distribution for each in TENSORFLOW_PACKAGES),
    *("protobuf", "wrapt", "absl-py"),
)
"""What a light installation, made without the dependencies of edgepack, does not have."""


@dataclass(frozen=True)
class Environment:
    """An environment of Python in a folder."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """The folder of its packages."""
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def break_module(self, name: str, line: str) -> None:
        """Let a module that is installed run only a line of Python when it is imported."""
        path = self.packages / name
        path.unlink()
        path.mkdir()
        (path / "__init__.py").write_text(f"{line}\n")

    def set_version(self, distribution: str, version: str) -> None:
        """Give a package that is installed another version, by its metadata."""
        self.edit_metadata(distribution, r"(?m)^Version: .*$", f"Version: {version}")

    def edit_metadata(self, distribution: str, pattern: str, text: str) -> None:
        """Replace what matches a pattern in the metadata of a package, of which it makes a copy."""
        (path,) = self.packages.glob(f"{_folder_name(distribution)}-*.dist-info")
        metadata = (path / "METADATA").read_text()
        path.unlink()
        path.mkdir()
        edited, count = re.subn(pattern, text, metadata, count=1)
        assert count == 1
        (path / "METADATA").write_text(edited)

    def run(
        self, *arguments: object, variables: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run edgepack in it, with other environment variables; the working folder is its own.

        Metadata that a build leaves in a clone would count there.
        """
        return subprocess.run(
            [str(self.python), "-m", "edgepack", *map(str, arguments)],
            check=False,
            env=os.environ | (variables or {}),
            **{"capture_output": True, "text": True, "timeout": 300, "cwd": self.folder, **options},
        )


def make_environment(folder: Path, *, without: Iterable[str] = ()) -> Environment:
    """Make an environment with the packages of this one, but ``without`` some."""
    left_out = {_folder_name(name) for name in without}
    venv.create(folder, symlinks=True)
    made = Environment(folder)
    # Not of the clone, in which a build leaves metadata of its own.
    for each in distributions(path=[sysconfig.get_path("purelib")]):
        if _folder_name(each.metadata["Name"]) not in left_out:
            for path in _entries(each):
                if not (link := made.packages / path.name).exists():
                    link.symlink_to(path)
    return made


def _entries(distribution: Distribution) -> set[Path]:
    """Return the files and folders of a package that are right below that of all packages."""
    site = Path(str(distribution.locate_file("")))
    files = distribution.files or []
    names = {file.parts[0] for file in files} - {os.pardir, "__pycache__"}
    return {site / name for name in names if (site / name).exists()}


def _folder_name(distribution: str) -> str:
    return re.sub(r"[-_.]+", "_", distribution).lower()
