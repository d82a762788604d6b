"""The interpreters that run .tflite files on devices, one module each.

The module of a runtime has an ``Interpreter`` class (for the protocol see
:mod:`edgepack.runtimes.run_service`), which is served in worker processes that never import
TensorFlow. To add a runtime, add its module, and its entry in :data:`RUNTIMES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import distributions

from edgepack.core import packages
from edgepack.core.packages import Package
from edgepack.workers.client import Python


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A runtime; ``name`` is its name in targets and reports.

    ``package`` provides it, and ``module`` is the module that drives it. ``python`` is the Python
    interpreter that runs it, if not this one. The latency of a runtime that is not ``is_timed`` is
    meaningless. ``mac_ns`` is the time of a multiply-accumulate in its kernels, in nanoseconds, if
    they are slow: see :mod:`edgepack.runtimes.sample_budget`.
    """

    name: str
    package: Package
    module: str
    is_single_threaded: bool = False
    is_timed: bool = True
    mac_ns: float | None = None
    python: Python | None = None

    @property
    def distribution(self) -> str:
        """The name of the package that provides it."""
        return self.package.distribution

    def version(self) -> str | None:
        """Return the installed version; None if the package is not installed."""
        if self.python is not None:
            installed = distributions(name=self.distribution, path=list(self.python.path))
            return next((each.version for each in installed), None)
        return self.package.version()

    def missing(self) -> str | None:
        """Return a sentence that says why the runtime cannot be used; None if it can."""
        if self.python is None:
            return self.package.missing()
        return None if self.version() is not None else self.package.lack


REFERENCE = Runtime(
    name="tflite-runtime-reference",
    package=packages.TFLITE_RUNTIME,
    module="edgepack.runtimes.tflite_runtime_reference",
    is_single_threaded=True,
    is_timed=False,
    mac_ns=0.75,
)
"""The reference for the outputs of the others: plain C++ kernels, which define each operator."""

LITERT_KERNELS = Runtime(
    name="litert-kernels",
    package=packages.LITERT,
    module="edgepack.runtimes.litert_kernels",
    is_timed=False,
)
"""Checks models that the reference kernels, which are older, refuse."""

TFLITE_RUNTIME = Runtime(
    name="tflite-runtime",
    package=packages.TFLITE_RUNTIME,
    module="edgepack.runtimes.tflite_runtime",
)
LITERT = Runtime(name="litert", package=packages.LITERT, module="edgepack.runtimes.litert")
TFLM = Runtime(
    name="tflm",
    package=packages.TFLITE_MICRO,
    module="edgepack.runtimes.tflm",
    is_single_threaded=True,
    mac_ns=1.5,
)
RUNTIMES = {runtime.name: runtime for runtime in (TFLITE_RUNTIME, LITERT, TFLM)}
