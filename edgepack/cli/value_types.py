"""Types of values of options and arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from edgepack.config.inputs import is_function_name
from edgepack.core.wording import choose_one_of
from edgepack.devices.target import is_target_path, read_all_targets

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completion(words: Callable[[], Iterable[str]]) -> Completion:
    """Return a function for click's ``shell_complete`` that offers those of ``words()`` that fit.

    It offers none where a package is missing for them.
    """

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Any:
        with suppress(ImportError):
            return [CompletionItem(word) for word in words() if word.startswith(incomplete)]
        return []

    return complete


def _files(incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a path, even one that is no text, which click could not print."""
    text = incomplete.encode(errors="surrogateescape").decode(errors="replace")
    return [CompletionItem(text, type="file")]


class _CompletedPath:
    """Something that a path may be given for, which the shell completes."""

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 (click's)
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Let the shell complete a path."""
        return _files(incomplete)


class ExistingPath(_CompletedPath, click.Path):
    """A path. An empty one comes from an unset shell variable; it is not the working folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty path, and one that no system can open."""
        if value == "":
            self.fail("the path is empty", param, ctx)
        if "\0" in str(value):
            self.fail("the path contains a NUL character; leave it out", param, ctx)
        return super().convert(value, param, ctx)


PATH = ExistingPath(path_type=Path, readable=False)  # reported when the file is read


class DataArgument(_CompletedPath, click.ParamType[Any]):
    """Samples: a path, or ``module:function`` if no file has that name."""

    name = "data"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path | str:
        """Return a path, or the name of a function as a string."""
        if is_function_name(str(value)):
            return str(value)
        path: Path = PATH.convert(value, param, ctx)
        return path


DATA = DataArgument()


class TargetName(click.types.StringParamType):
    """The name of a target, or the path of its file."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names of valid targets, or else let the shell complete a path."""
        return completion(_valid_targets)(ctx, param, incomplete) or _files(incomplete)


def _valid_targets() -> Iterable[str]:
    """Return the names that can be a word of a command line, of which a line break is no part."""
    targets, _ = read_all_targets()
    return [target.name for target in targets if target.name.isprintable()]


TARGET = TargetName()


class WordChoice(click.Choice[str]):
    """One of a few words; an error asks for the most similar one."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Ask for the most similar word, and list all."""
        words = [str(each) for each in self.choices]
        return f"{value!r}: {choose_one_of(value, words)}"


class NameValuePair(click.ParamType[Any]):
    """``NAME=VALUE``, with values of a type such as float."""

    name = "pair"

    def __init__(self, of: Callable[[str], Any], example: str) -> None:
        self._of = of
        self._example = example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Split at the last equals sign."""
        name, _, text = str(value).rpartition("=")
        try:
            if not name:
                raise ValueError
            return name, self._of(text)
        except ValueError:
            self.fail(f"{value!r}: write NAME=VALUE, such as {self._example}", param, ctx)


class NamedValue(click.ParamType[Any]):
    """A value with an optional name: ``NAME=VALUE``; without one the name is empty.

    If the whole text is the name of an existing file, it has no name before it.
    """

    name = "named"

    def __init__(self, of: click.ParamType[Any]) -> None:
        self.of = of

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Split at the first equals sign."""
        name, sign, text = str(value).partition("=")
        if not sign or os.path.lexists(value):
            return "", self.of.convert(value, param, ctx)
        if not (name and text):
            self.fail(f"{value!r}: write NAME=VALUE, such as kws=model.tflite", param, ctx)
        return name, self.of.convert(text, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete the value, which shells that split at the equals sign complete after it too."""
        return self.of.shell_complete(ctx, param, incomplete)


class TwoNumbers(click.ParamType[Any]):
    """Two whole numbers with a separator between them, such as ``2:4`` or ``4x1``."""

    name = "numbers"

    def __init__(self, separator: str, example: str) -> None:
        self._separator = separator
        self._example = example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Split at the separator."""
        first, _, second = str(value).partition(self._separator)
        try:
            return int(first), int(second)
        except ValueError:
            self.fail(f"{value!r}: write two whole numbers, such as {self._example}", param, ctx)


class NumberRange(click.ParamType[Any]):
    """A whole number, or an inclusive range such as ``2-8``."""

    name = "range"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> range:
        """Split at the dash, if there is one."""
        first, _, last = str(value).partition("-")
        try:
            numbers = range(int(first), int(last or first) + 1)
            if not numbers:
                raise ValueError
            return numbers
        except ValueError:
            self.fail(f"{value!r}: write a whole number or two, such as 4 or 2-8", param, ctx)


def resolve_paths(kind: click.ParamType[Any], value: str, folder: Path) -> str:
    """Resolve the path in a value from a file in ``folder``, to which it is relative.

    >>> resolve_paths(PATH, "model.h5", Path("project"))
    'project/model.h5'
    >>> resolve_paths(DATA, "mine:data", Path("project"))
    'mine:data'
    >>> resolve_paths(NamedValue(PATH), "kws=kws.tflite", Path("project"))
    'kws=project/kws.tflite'
    """
    path = folder / value
    if isinstance(kind, ExistingPath):
        return str(path) if value else value
    if isinstance(kind, DataArgument):
        is_function = is_function_name(value) and not os.path.lexists(path)
        return value if is_function else resolve_paths(PATH, value, folder)
    if isinstance(kind, TargetName):
        return str(path) if is_target_path(value) else value
    if isinstance(kind, NamedValue):
        name, sign, text = value.partition("=")
        if not sign or os.path.lexists(path):
            return resolve_paths(kind.of, value, folder)
        return f"{name}={resolve_paths(kind.of, text, folder)}"
    return value
