"""What every layout of a project is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_README = """\
# {library}

{title}, written by edgepack.

{text}"""


_TOLD = 4  # models with the longest names: descriptions of 255 characters are allowed everywhere


@dataclass(frozen=True, kw_only=True)
class Project:
    """What a layout's own files depend on.

    ``name`` is a C identifier; ``models`` are the folders' names in their order. ``sources`` and
    ``headers`` are their files' paths, from the folder that holds them.
    """

    name: str
    models: tuple[str, ...]
    sources: tuple[str, ...]
    headers: tuple[str, ...]

    @property
    def library(self) -> str:
        """What the build system calls the models: no name that a system or a language uses."""
        return f"{self.name}_models"

    @property
    def title(self) -> str:
        """Say in a line what is in it.

        >>> Project(name="door", models=("kws", "ic"), sources=(), headers=()).title
        'Models for TensorFlow Lite Micro: kws, ic'
        """
        shown = self.models if len(self.models) <= _TOLD else self.models[: _TOLD - 1]
        more = len(self.models) - len(shown)
        names = ", ".join(shown) + (f" and {more} more" if more else "")
        return f"Models for TensorFlow Lite Micro: {names}"

    def readme(self, text: str) -> str:
        """Write the README of the project: its head, then how it is built."""
        return _README.format(library=self.library, title=self.title, text=text)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a build system wants the files of a project to stand.

    ``folder`` holds the models' folders and is where includes such as ``"kws/model.h"`` are looked
    for; ``self_test`` is the path of the self-test's source and ``entry`` says what starts it:
    ``main``, ``app_main`` or ``arduino``, which is ``setup`` and ``loop``. ``files`` writes the
    rest by path.
    """

    folder: str
    self_test: str
    entry: str
    files: Callable[[Project], dict[str, str]]

    def lay_out(self, name: str, models: Mapping[str, str], main: str) -> dict[str, str]:
        """Write a whole project, text by path, in the order of the paths.

        ``models`` are the models' files, such as ``kws/model.c``, and ``main`` is the source of
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
