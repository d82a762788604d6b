"""Checks of how the model runs on the interpreters of this machine."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.evidence import Evidence
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.evaluation.deviation import tolerated_lsb
from edgepack.runtimes.arm64 import ARM64


def interpreters_run(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Each of the target's interpreters that is installed runs the model.

    So does the arm64 build of tflite-runtime, if it is requested. TensorFlow Lite Micro runs as
    many samples as its time budget allows, the others run every sample.
    """
    emulated = [ARM64] if "tflite-runtime" in target.interpreters else []
    for name in (*target.interpreters, *emulated):
        run = evidence.runs.get(name)
        if run and run.failure:
            failing_operator = run.failing_operator
            yield Finding(
                message=f"{name} fails: {run.failure}",
                operator=failing_operator.operator if failing_operator else None,
                layer=failing_operator.layer if failing_operator else None,
            )


def file_makes_sense(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The reference kernels accept the model, and compute the shapes that the file declares.

    If those of tflite-runtime, which are older, reject it, LiteRT's own kernels decide. Operators
    that none of them supports do not fail this check.
    """
    yield from evidence.contradictions


def micro_is_bit_exact(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """TensorFlow Lite Micro's outputs equal those of tflite-runtime's reference kernels exactly.

    1 LSB is tolerated for a fused LSTM, and for a SOFTMAX in int16.
    """
    deviations = evidence.deviations.get("tflm", {}).values()
    worst = max(deviations, key=lambda deviation: deviation.max_lsb, default=None)
    if worst is not None and worst.max_lsb > tolerated_lsb(evidence.model):
        yield Finding(message=f"tflm differs from the reference kernels by up to {worst.largest}")
