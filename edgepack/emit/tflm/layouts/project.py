"""What all project layouts share: the description of a project, and of a layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_README = """\
# {library}

{title}, written by edgepack.

{text}"""

# With the longest model names, a title stays below 255 characters, which every system allows.
_MAX_NAMES = 4


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project's name and models, from which a layout writes its own files.

    ``name`` is a C identifier; ``models`` are the names of the models' folders, in order.
    ``sources`` and ``headers`` are the paths of their files, relative to the layout's ``folder``.
    """

    name: str
    models: tuple[str, ...]
    sources: tuple[str, ...]
    headers: tuple[str, ...]

    @property
    def library(self) -> str:
        """Name of the library in the build system; the suffix avoids reserved names."""
        return f"{self.name}_models"

    @property
    def title(self) -> str:
        """One line that describes the project.

        >>> Project(name="door", models=("kws", "ic"), sources=(), headers=()).title
        'Models for TensorFlow Lite Micro: kws, ic'
        """
        shown = self.models if len(self.models) <= _MAX_NAMES else self.models[: _MAX_NAMES - 1]
        hidden = len(self.models) - len(shown)
        names = ", ".join(shown) + (f" and {hidden} more" if hidden else "")
        return f"Models for TensorFlow Lite Micro: {names}"

    def readme(self, text: str) -> str:
        """Write the project's README: the title, then ``text``, which explains how to build it."""
        return _README.format(library=self.library, title=self.title, text=text)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a build system expects the files of a project.

    ``folder`` holds the models' folders and is the include path of ``"kws/model.h"``.
    ``self_test`` is the path of the self-test's source and ``entry`` its entry point: ``main``,
    ``app_main``, or ``arduino`` for ``setup`` and ``loop``. ``files`` returns the other files of a
    project, text by path.
    """

    folder: str
    self_test: str
    entry: str
    files: Callable[[Project], dict[str, str]]

    def lay_out(self, name: str, models: Mapping[str, str], main: str) -> dict[str, str]:
        """Return all files of a project, text by path, sorted by path.

        ``models`` are the models' files by path, such as ``kws/model.c``; ``main`` is the source of
        the self-test for :attr:`entry`.
        """
        project = Project(
            name=name,
            models=tuple(dict.fromkeys(path.split("/")[0] for path in models)),
            sources=tuple(path for path in models if path.endswith(".c")),
            headers=tuple(path for path in models if path.endswith(".h")),
        )
        files = {f"{self.folder}/{path}": text for path, text in models.items()}
        return dict(sorted((files | {self.self_test: main} | self.files(project)).items()))
