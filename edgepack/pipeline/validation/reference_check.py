"""What the reference kernels find wrong with a file, and LiteRT's where the older ones refuse."""

from __future__ import annotations

from pathlib import Path

from edgepack.checks.reference_refusal import contradictions, needs_second
from edgepack.core.findings import Finding
from edgepack.core.progress import ignore
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.pipeline.steps.run import Workload
from edgepack.runtimes import LITERT_KERNELS
from edgepack.runtimes.installed import installed
from edgepack.runtimes.processes import Interpreters
from edgepack.runtimes.run_result import Run

_FEW = 16
"""So many samples show whether kernels refuse a model, which is for its content."""


def find_contradictions(
    running: Interpreters, workload: Workload, reference: Run | None, work: Path
) -> tuple[Finding, ...]:
    """Hold a file against the reference kernels.

    ``reference`` is what became of it on those of tflite-runtime; None if they did not run it.
    """
    second = None
    if needs_second(reference) and installed([LITERT_KERNELS]):
        with TemporaryFolder(work) as folder:
            second = running.run(
                model=workload.path,
                inputs={name: array[:_FEW] for name, array in workload.inputs.items()},
                outputs=workload.outputs,
                work=folder,
                update=ignore,
                on=[LITERT_KERNELS],
            )[LITERT_KERNELS.name]
    return tuple(contradictions(workload.model, reference, second))
