"""Makes environments of Python in which packages are missing, broken or of another version.

They are real ones, whose packages are links to those of this environment: nothing is downloaded,
and nothing in edgepack is replaced.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from edgepack.core.tensorflow_packages import TENSORFLOW_PACKAGES

LEFT_OUT_BY_LIGHT = (
    *(each.distribution for each in TENSORFLOW_PACKAGES),
    *("protobuf", "wrapt", "absl-py"),
)
"""What a light installation, made without the dependencies of edgepack, does not have."""


@dataclass(frozen=True)
class Environment:
    """An environment of Python in a folder. Its commands run in ``work``, or else in that folder.

    In a clone they would find the metadata that a build leaves there.
    """

    folder: Path
    work: Path | None = None

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
        edited, count = re.subn(pattern, text, metadata, count=1)
        assert count == 1
        path.unlink()
        path.mkdir()
        (path / "METADATA").write_text(edited)

    def rename(self, distribution: str, name: str) -> None:
        """Let a package that is installed be of another distribution, by its metadata."""
        (path,) = self.packages.glob(f"{_folder_name(distribution)}-*.dist-info")
        own = path.with_name(path.name.replace(_folder_name(distribution), _folder_name(name)))
        shutil.copytree(path, own)
        path.unlink()
        metadata = (own / "METADATA").read_text()
        (own / "METADATA").write_text(re.sub(r"(?m)^Name: .*$", f"Name: {name}", metadata, count=1))

    def run(
        self, *arguments: object, variables: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run edgepack in it, with other environment variables."""
        return self.call("-m", "edgepack", *arguments, variables=variables, **options)

    def call(
        self, *arguments: object, variables: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python, likewise."""
        usual = {"capture_output": True, "text": True, "timeout": 300}
        return subprocess.run(
            [str(self.python), *map(str, arguments)],
            check=False,
            env=os.environ | (variables or {}),
            **{**usual, "cwd": self.work or self.folder, **options},
        )


def make_environment(
    folder: Path, *, without: Iterable[str] = (), work: Path | None = None, confined: bool = False
) -> Environment:
    """Make an environment with the packages of this one, but ``without`` some.

    A ``confined`` process may read the packages in the environment only, not what links lead to.
    """
    left_out = {_folder_name(name) for name in without}
    venv.create(folder, symlinks=True)
    made = Environment(folder, work)
    # Not of the clone, in which a build leaves metadata of its own.
    for each in distributions(path=[sysconfig.get_path("purelib")]):
        if _folder_name(each.metadata["Name"]) not in left_out:
            for path in _entries(each):
                if not (target := made.packages / path.name).exists():
                    (_link_files if confined else _link)(path, target)
    return made


def _link(path: Path, target: Path) -> None:
    target.symlink_to(path)


def _link_files(path: Path, target: Path) -> None:
    """Link files in the file system, which takes no space, or copy them to another one."""
    if path.is_dir():
        shutil.copytree(path, target, copy_function=_link_file)
    else:
        _link_file(path, target)


def _link_file(path: str | Path, target: str | Path) -> None:
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)


def _entries(distribution: Distribution) -> set[Path]:
    """Return the files and folders of a package that are right below that of all packages."""
    site = Path(str(distribution.locate_file("")))
    files = distribution.files or []
    names = {file.parts[0] for file in files} - {os.pardir, "__pycache__"}
    return {site / name for name in names if (site / name).exists()}


def _folder_name(distribution: str) -> str:
    return re.sub(r"[-_.]+", "_", distribution).lower()
