"""Labels: names for the values along the last axis of an output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from edgepack.core.errors import ConfigError
from edgepack.core.signature import TensorSpec
from edgepack.core.user_files import read_user_text
from edgepack.core.wording import counted


def read_labels(path: Path) -> tuple[str, ...]:
    """Read labels from a text file, one per line; blank lines at the end are ignored.

    Raises :class:`ConfigError` for a file that cannot be read, is not UTF-8 text, or is empty.
    """
    text = read_user_text(
        *(path, ConfigError, "file of labels"),
        encoding="utf-8-sig",
        cure="give one class name per line",
    )
    lines = re.split(r"\r?\n", text)  # Windows writes a byte-order mark, and CRLF line ends
    if any("\0" in line for line in lines):
        raise ConfigError(f"{path}: contains a NUL byte, which ends a C string; save it as UTF-8")
    labels = [line.strip() for line in lines]
    while labels and not labels[-1]:
        labels.pop()
    if not labels:
        raise ConfigError(f"{path}: contains no labels; write one per line")
    return tuple(labels)


def find_labelled_output(path: Path, labels: Sequence[str], outputs: Sequence[TensorSpec]) -> int:
    """Return the index of the only output whose last axis has one value per label.

    ``path`` is the file of the labels, for messages. Raises :class:`ConfigError` if no output or
    several outputs match.
    """
    matches = [index for index, output in enumerate(outputs) if output.shape[-1:] == (len(labels),)]
    if len(matches) == 1:
        return matches[0]
    count = counted(len(labels), "label")
    if matches:
        names = " and ".join(repr(outputs[index].name) for index in matches)
        raise ConfigError(
            f"{path}: {count} fit the outputs {names}: it is ambiguous which one is labelled; leave"
            " the labels out"
        )
    shapes = ", ".join(f"{output.name!r} {output}" for output in outputs)
    raise ConfigError(
        f"{path}: {count}, but no output has that size: {shapes}; give a label for each value along"
        " the last axis"
    )


def require_class_order(path: Path, labels: Sequence[str], classes: Sequence[str]) -> None:
    """Raise :class:`ConfigError` if labels are the class names of a dataset in another order.

    Labels of other names, which may describe the classes in more words, are not compared. ``path``
    is the file of the labels, for messages; ``classes`` are the names of a folder's subfolders.
    """
    names, expected = ([_plain(each) for each in of] for of in (labels, classes))
    if names == expected or sorted(names) != sorted(expected):
        return
    line = next(index for index, name in enumerate(names) if name != expected[index])
    raise ConfigError(
        f"{path}: lists the classes in another order than the subfolders of the test data: line"
        f" {line + 1} is {labels[line]!r}, but subfolder {line + 1} by name is {classes[line]!r};"
        " write the lines in the order of the subfolders, or, if theirs is the order of the model's"
        f" outputs, name the subfolders so that they sort likewise, such as 0_{_plain(labels[0])}"
    )


def _plain(name: str) -> str:
    """Return a name in lower case with the same character between its words.

    >>> _plain("Hot-dog "), _plain("hot dog")
    ('hot_dog', 'hot_dog')
    """
    return re.sub(r"[\W_]+", "_", name.strip().casefold())
