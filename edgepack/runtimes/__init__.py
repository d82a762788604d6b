"""The interpreters that run .tflite files on devices, one module each.

The module of a runtime has an ``Interpreter`` class (for the protocol see
:mod:`edgepack.runtimes.run_service`), which is served in worker processes that never import
TensorFlow. To add a runtime, add its module, and its entry in :data:`RUNTIMES`.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version

from edgepack.workers.client import Python


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A runtime; ``name`` is its name in targets and reports.

    ``distribution`` is the package that provides it, and ``module`` the module that drives it.
    ``no_wheel`` says where the package is available and what is not checked without it. ``python``
    is the Python interpreter that runs it, if not this one. The latency of a runtime that is not
    ``is_timed`` is meaningless. ``mac_ns`` is the time of a multiply-accumulate in its kernels, in
    nanoseconds, if they are slow: see :mod:`edgepack.runtimes.sample_budget`.
    """

    name: str
    distribution: str
    module: str
    no_wheel: str
    is_single_threaded: bool = False
    is_timed: bool = True
    mac_ns: float | None = None
    python: Python | None = None

    def version(self) -> str | None:
        """Return the installed version; None if the package is not installed."""
        if self.python is not None:
            installed = distributions(name=self.distribution, path=list(self.python.path))
            return next((each.version for each in installed), None)
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    def missing(self) -> str | None:
        """Return a sentence that says why the runtime cannot be used; None if it can."""
        if self.version() is not None:
            return None
        python = ".".join(str(part) for part in sys.version_info[:2])
        return (
            f"{self.distribution} is not installed on this Python {python}"
            f" ({sys.platform} {platform.machine()}); {self.no_wheel}"
        )


_NO_TFLITE_RUNTIME = (
    "it has wheels for Linux on x86-64, and on aarch64 with glibc 2.34 or later, and for Python up"
    " to 3.11; without it phones that still run TensorFlow Lite are not checked, and nothing is"
    " compared with TensorFlow Lite's reference kernels"
)

_LITERT_WHEELS = (
    "it has wheels for Linux on x86-64 and aarch64, macOS on arm64 and Windows on x86-64"
)

REFERENCE = Runtime(
    name="tflite-runtime-reference",
    distribution="tflite-runtime",
    module="edgepack.runtimes.tflite_runtime_reference",
    no_wheel=_NO_TFLITE_RUNTIME,
    is_single_threaded=True,
    is_timed=False,
    mac_ns=0.75,
)
"""The reference for the outputs of the others: plain C++ kernels, which define each operator."""

LITERT_KERNELS = Runtime(
    name="litert-kernels",
    distribution="ai-edge-litert",
    module="edgepack.runtimes.litert_kernels",
    no_wheel=f"{_LITERT_WHEELS}; without it models are not checked for contradictions",
    is_timed=False,
)
"""Checks models that the reference kernels, which are older, refuse."""

TFLITE_RUNTIME = Runtime(
    name="tflite-runtime",
    distribution="tflite-runtime",
    module="edgepack.runtimes.tflite_runtime",
    no_wheel=_NO_TFLITE_RUNTIME,
)
LITERT = Runtime(
    name="litert",
    distribution="ai-edge-litert",
    module="edgepack.runtimes.litert",
    no_wheel=f"{_LITERT_WHEELS}; without it phones that run LiteRT are not checked",
)
TFLM = Runtime(
    name="tflm",
    distribution="tflite-micro",
    module="edgepack.runtimes.tflm",
    no_wheel="it has wheels for Linux on x86-64 only; without it microcontrollers are not checked,"
    " and the arena is not measured",
    is_single_threaded=True,
    mac_ns=1.5,
)
RUNTIMES = {runtime.name: runtime for runtime in (TFLITE_RUNTIME, LITERT, TFLM)}
