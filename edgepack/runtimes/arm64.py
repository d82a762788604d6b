"""The arm64 build of tflite-runtime, in qemu's user emulation: the kernels of phones and boards.

They round otherwise than those of other processors do. LiteRT's arm64 build is not offered: its
interpreter ends with a segmentation fault under qemu 7.2.
"""

from __future__ import annotations

import os
from pathlib import Path

from edgepack.core.errors import MissingToolError
from edgepack.runtimes import Runtime
from edgepack.workers.client import Python

ARM64 = "tflite-runtime-arm64"


def arm64_runtime(folder: Path) -> Runtime:
    """Find the runtime in a folder that ``scripts/arm64`` made.

    Raises :class:`MissingToolError` if it is no such folder.
    """
    folder = folder.resolve()
    qemu, root, site = folder / "qemu-aarch64", folder / "root", folder / "site"
    if not (os.access(qemu, os.X_OK) and site.is_dir()):
        raise MissingToolError(
            f"{folder}: holds no arm64 build of tflite-runtime; make one with scripts/arm64"
        )
    standard = root / "usr" / "lib" / "python3.11"
    ours = Path(__file__).parents[2]
    return Runtime(
        name=ARM64,
        distribution="tflite-runtime",
        module="edgepack.runtimes.tflite_runtime",
        no_wheel="make it with scripts/arm64",
        is_timed=False,
        python=Python(
            command=(str(qemu), "-L", str(root), str(root / "usr" / "bin" / "python3.11")),
            path=(str(ours), str(site), str(standard), str(standard / "lib-dynload")),
        ),
    )
