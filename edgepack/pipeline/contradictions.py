"""What the reference kernels find wrong with a file, and LiteRT's where the older ones refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgepack.arrays import Arrays
from edgepack.findings import Finding
from edgepack.progress import ignore
from edgepack.refusal import contradictions, needs_second
from edgepack.runtimes import LITERT_KERNELS, Runtime
from edgepack.runtimes.processes import LIMITS, Run, interpreters
from edgepack.types import Model
from edgepack.worker import Limits


@dataclass(frozen=True, kw_only=True)
class SingleRun:
    """A file and what it is given, to be run on one runtime at a time.

    ``inputs`` are arrays (samples, ...), as the file takes them; ``outputs`` names what it gives.
    Arrays are kept in ``work``. ``verbose`` lets the runtime write to standard error.
    """

    path: Path
    inputs: Arrays
    outputs: Sequence[str]
    work: Path
    limits: Limits = LIMITS
    verbose: bool = False

    def on(self, runtime: Runtime) -> Run | None:
        """Run the file in a process of its own; None if the runtime is not to be had here."""
        if runtime.missing():
            return None
        with interpreters([runtime], jobs=1, limits=self.limits, verbose=self.verbose) as running:
            return running.run(
                model=self.path,
                inputs=self.inputs,
                outputs=self.outputs,
                work=self.work,
                update=ignore,
            )[runtime.name]


def find_contradictions(
    model: Model, single: SingleRun, reference: Run | None
) -> tuple[Finding, ...]:
    """Hold a file against the reference kernels.

    ``reference`` is what became of it on those of tflite-runtime; None if they did not run it.
    """
    second = single.on(LITERT_KERNELS) if needs_second(reference) else None
    return tuple(contradictions(model, reference, second))
