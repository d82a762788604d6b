"""Contradictions in a file that reference kernels detect: tflite-runtime's, or else LiteRT's."""

from __future__ import annotations

from pathlib import Path

from edgepack.checks.reference_refusal import contradictions, needs_litert_kernels
from edgepack.core.findings import Finding
from edgepack.core.progress import ignore
from edgepack.core.temporary_folders import TemporaryFolder
from edgepack.pipeline.steps.run import Workload
from edgepack.runtimes import LITERT_KERNELS
from edgepack.runtimes.installed import installed_runtimes
from edgepack.runtimes.processes import Interpreters
from edgepack.runtimes.run_result import Run

_SAMPLES = 16
"""Enough samples, because kernels refuse a model for its content, not for its inputs."""


def find_contradictions(
    running: Interpreters, workload: Workload, reference: Run | None, work: Path
) -> tuple[Finding, ...]:
    """Return the findings of the reference kernels about a file that contradicts itself.

    ``reference`` is its run on tflite-runtime's reference kernels; None if there was none. Where
    it is not conclusive, LiteRT's reference kernels run the file, too, if they are installed.
    """
    second = None
    if needs_litert_kernels(reference) and installed_runtimes([LITERT_KERNELS]):
        with TemporaryFolder(work) as folder:
            second = running.run(
                model=workload.path,
                inputs={name: array[:_SAMPLES] for name, array in workload.inputs.items()},
                outputs=workload.outputs,
                work=folder,
                update=ignore,
                on=[LITERT_KERNELS],
            )[LITERT_KERNELS.name]
    return tuple(contradictions(workload.model, reference, second))
