"""The arm64 build of tflite-runtime, emulated by QEMU: the kernels of phones and boards.

They round differently from those of other processors. LiteRT's arm64 build is not offered: its
interpreter crashes with a segmentation fault under QEMU 7.2.
"""

from __future__ import annotations

import os
from pathlib import Path

from edgepack.core.errors import MissingToolError
from edgepack.core.packages import TFLITE_RUNTIME
from edgepack.runtimes import Runtime
from edgepack.workers.client import Python

ARM64 = "tflite-runtime-arm64"


def arm64_runtime(folder: Path) -> Runtime:
    """Return the runtime in a folder that ``scripts/arm64`` made.

    Raises :class:`MissingToolError` if the folder does not contain it.
    """
    folder = folder.resolve()
    qemu, root, site = folder / "qemu-aarch64", folder / "root", folder / "site"
    standard_library = root / "usr" / "lib" / "python3.11"
    ours = Path(__file__).parents[2]
    runtime = Runtime(
        name=ARM64,
        package=TFLITE_RUNTIME,
        module="edgepack.runtimes.tflite_runtime",
        is_timed=False,
        python=Python(
            command=(str(qemu), "-L", str(root), str(root / "usr" / "bin" / "python3.11")),
            path=(
                *(str(ours), str(site)),
                *(str(standard_library), str(standard_library / "lib-dynload")),
            ),
        ),
    )
    if not os.access(qemu, os.X_OK) or runtime.missing():
        raise MissingToolError(
            f"{folder}: contains no arm64 build of tflite-runtime; make one with scripts/arm64"
        )
    return runtime
