"""Checks of how the model runs on the interpreters, here."""

from __future__ import annotations

from collections.abc import Iterator

from edgepack.checks.evidence import Evidence
from edgepack.core.findings import Finding
from edgepack.devices.target import Target
from edgepack.evaluation.deviation import tolerated_lsb
from edgepack.runtimes.arm64 import ARM64


def interpreters_run(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """Each of the target's interpreters that is installed here runs the model.

    So does the arm64 build of tflite-runtime, where it is asked for. TensorFlow Lite Micro runs as
    many samples as it can afford, all others every sample.
    """
    emulated = [ARM64] if "tflite-runtime" in target.interpreters else []
    for name in (*target.interpreters, *emulated):
        run = evidence.runs.get(name)
        if run and run.failure:
            blamed = run.culprit
            yield Finding(
                message=f"{name} fails: {run.failure}",
                operator=blamed.operator if blamed else None,
                layer=blamed.layer if blamed else None,
            )


def file_makes_sense(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """The reference kernels take the model, and find its shapes to be what the file says.

    Where those of tflite-runtime, which are older, refuse it, LiteRT's own kernels are asked. What
    they lack themselves fails nothing.
    """
    yield from evidence.contradictions


def micro_is_bit_exact(target: Target, evidence: Evidence) -> Iterator[Finding]:
    """TensorFlow Lite Micro's outputs equal the reference kernels' of tflite-runtime bit for bit.

    1 LSB is let pass for a fused LSTM, and for a SOFTMAX in int16.
    """
    found = evidence.deviations.get("tflm", {}).values()
    worst = max(found, key=lambda deviation: deviation.max_lsb, default=None)
    if worst is not None and worst.max_lsb > tolerated_lsb(evidence.model):
        yield Finding(message=f"tflm differs from the reference kernels by up to {worst.largest}")
