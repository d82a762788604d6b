"""What the reference kernels find wrong with a file, and LiteRT's where the older ones refuse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgepack.arrays import Arrays
from edgepack.findings import Finding
from edgepack.progress import ignore
from edgepack.refusal import contradictions, needs_second
from edgepack.runtimes import LITERT_KERNELS, Runtime
from edgepack.runtimes.processes import LIMITS, Run, interpreters
from edgepack.types import Model
from edgepack.worker import Limits


def find_contradictions(
    model: Model,
    path: Path,
    inputs: Arrays,
    outputs: Sequence[str],
    work: Path,
    reference: Run | None,
    limits: Limits = LIMITS,
) -> tuple[Finding, ...]:
    """Hold a file, which is at a path, against the reference kernels.

    ``reference`` is what became of it on those of tflite-runtime; None if they did not run it.
    """
    second = None
    if needs_second(reference):
        second = ask(LITERT_KERNELS, path, inputs, outputs, work, limits)
    return tuple(contradictions(model, reference, second))


def ask(
    runtime: Runtime,
    path: Path,
    inputs: Arrays,
    outputs: Sequence[str],
    work: Path,
    limits: Limits = LIMITS,
) -> Run | None:
    """Run a file on a runtime of its own; None if that is not to be had here."""
    if runtime.missing():
        return None
    with interpreters([runtime], jobs=1, limits=limits) as running:
        return running.run(model=path, inputs=inputs, outputs=outputs, work=work, update=ignore)[
            runtime.name
        ]
