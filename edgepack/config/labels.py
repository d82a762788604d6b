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
    text = read_user_text(path, ConfigError, "file of labels", encoding="utf-8-sig")
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
