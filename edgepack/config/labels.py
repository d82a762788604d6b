"""Labels: what the values along the last axis of an output stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from edgepack.core.errors import ConfigError
from edgepack.core.signature import TensorSpec
from edgepack.core.user_files import read_user_text
from edgepack.core.wording import counted


def read_labels(path: Path) -> tuple[str, ...]:
    """Read a text file, a label a line; blank lines at its end are left out.

    Raises :class:`ConfigError` for one that cannot be read, is no text in UTF-8, or is empty.
    """
    text = read_user_text(path, ConfigError, "file of labels", encoding="utf-8-sig")
    lines = re.split(r"\r?\n", text)  # Windows puts a mark first, and two characters at the end
    if any("\0" in line for line in lines):
        raise ConfigError(f"{path}: holds a NUL byte, which ends a text in C; save it as UTF-8")
    labels = [line.strip() for line in lines]
    while labels and not labels[-1]:
        labels.pop()
    if not labels:
        raise ConfigError(f"{path}: holds no labels; write one a line")
    return tuple(labels)


def output_with_labels(path: Path, labels: Sequence[str], outputs: Sequence[TensorSpec]) -> int:
    """Find the place of the output that has a value for each label, along its last axis.

    Raises :class:`ConfigError` if none has, or several: ``path`` is where the labels come from.
    """
    fitting = [place for place, output in enumerate(outputs) if output.shape[-1:] == (len(labels),)]
    if len(fitting) == 1:
        return fitting[0]
    count = counted(len(labels), "label")
    if fitting:
        named = " and ".join(repr(outputs[place].name) for place in fitting)
        raise ConfigError(
            f"{path}: {count} fit the outputs {named}: which is meant cannot be told; leave them"
            " out"
        )
    shapes = ", ".join(f"{output.name!r} {output}" for output in outputs)
    raise ConfigError(
        f"{path}: {count} for outputs that have none of that size, {shapes}; give a label for each"
        " value along the last axis"
    )
