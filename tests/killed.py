"""Replace a folder in processes that are killed at each file operation.

Run as a script with a folder as argument, and `twice` for a system that cannot exchange two paths.
Prints, as JSON, how many operations there are, and every case in which something was lost or left
over.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from edgepack.core.errors import OutputError
from edgepack.core.temporary_folders import TemporaryFolder, temporary_folder
from edgepack.storage import atomic_rename
from edgepack.storage.manifest import MANIFEST
from edgepack.storage.output_folder import staged_output
from edgepack.storage.text_files import write_json

NAMES = ("one", "deep/two", "deep/three")
STEPS = ("rename", "replace", "unlink", "rmdir", "mkdir")
MAX_STEPS = 200


def fill(output: Path, text: str) -> None:
    """Write a folder as an export does, with a temporary folder beside it and one elsewhere."""
    with (
        staged_output(output, "export", [], force=True) as folder,
        TemporaryFolder(folder.parent) as beside,
        temporary_folder() as elsewhere,
    ):
        for each in (folder, beside, elsewhere):
            (each / "deep").mkdir()
            for name in NAMES:
                (each / name).write_text(text)
        content = {"artifacts": {name: {} for name in NAMES}, "versions": {"edgepack": "0"}}
        write_json(folder / MANIFEST, {"schema": 1, "command": "export"} | content)


def text_of(output: Path) -> str:
    """Return the text that all files of a folder contain."""
    texts = {(output / name).read_text() for name in NAMES}
    files = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    return texts.pop() if len(texts) == 1 and files == {*NAMES, MANIFEST} else f"mixed: {files}"


def dying(step: Callable[..., Any], number: int, when: str) -> Callable[..., Any]:
    """Wrap a step to kill this process before or after the ``number``-th call of any such step."""

    def counted(*arguments: Any, **named: Any) -> Any:
        is_last = next(_step_numbers) == number
        if is_last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return step(*arguments, **named)
        finally:
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)

    return counted


_step_numbers = count(1)
"""The number of each step in the process that is to die."""


def is_killed(output: Path, number: int, when: str) -> bool:
    """Replace a folder in a process that dies at a step; False if it has fewer steps."""
    process = os.fork()
    if process == 0:
        for name in STEPS:
            setattr(os, name, dying(getattr(os, name), number, when))
        atomic_rename._rename = dying(atomic_rename._rename, number, when)
        fill(output, "new")
        os._exit(0)
    _, status = os.waitpid(process, 0)
    return os.WIFSIGNALED(status)


def refusal(output: Path) -> str:
    """Write the folder again without --force; returns the error message."""
    try:
        with staged_output(output, "export", [], force=False):
            return "the folder was missing"
    except OutputError as error:
        return str(error)


def main(root: Path, *, twice: bool) -> None:
    """Kill a process at each step, check the folder, write it again, and check again."""
    if twice:
        atomic_rename._function = lambda: None
    tempfile.tempdir = str(root / "tmp")
    (root / "tmp").mkdir()
    faults = []
    output = root / "place" / "out"
    for when in ("before", "after"):
        for number in range(1, MAX_STEPS):
            fill(output, "old")
            if not is_killed(output, number, when):
                break
            case = f"{when} step {number}"
            if not twice and not output.is_dir():
                faults.append(f"{case}: there is no folder")
            if "exists; replace it with --force" not in (message := refusal(output)):
                faults.append(f"{case}: {message}")
            if text_of(output) not in ("old", "new"):
                faults.append(f"{case}: {text_of(output)}")
            fill(output, "third")
            left = [path.name for path in (*output.parent.iterdir(), *(root / "tmp").iterdir())]
            if (text_of(output), left) != ("third", ["out"]):
                faults.append(f"{case}: then {text_of(output)}, left over {left}")
    sys.stdout.write(json.dumps({"steps": number - 1, "faults": faults}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), twice=sys.argv[2:] == ["twice"])
