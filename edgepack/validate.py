"""Hold the interpreters' outputs against the reference kernels, and these against float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.compare import sqnr_db
from edgepack.metrics import classes, decision_boundary
from edgepack.quantize.affine import dequantize
from edgepack.runtimes import REFERENCE
from edgepack.runtimes.processes import Run
from edgepack.types import Tensor


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How far outputs are from the reference kernels', over all samples.

    ``max_lsb`` and ``mean_lsb`` are absolute differences of the integers;
    ``argmax_disagreements`` counts the samples that get another class anywhere in their output.
    """

    max_lsb: int
    mean_lsb: float
    argmax_disagreements: int


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The runs of the runtimes, and how far each is from the reference kernels where both ran.

    ``notes`` says in sentences what could not be compared.
    """

    runs: dict[str, Run]
    deviations: dict[str, Deviation]
    notes: tuple[str, ...]


def hold_against_reference(
    runs: dict[str, Run], output: Tensor, float_outputs: NDArray[Any]
) -> Validation:
    """Take the reference kernels' run out of ``runs`` and compare the others with it.

    Reference kernels have defects too: where their outputs are farther from the float model's
    than every other interpreter's by :data:`DOUBT_DB`, they are not taken for the truth.
    """
    reference = runs.get(REFERENCE.name)
    others = {name: run for name, run in runs.items() if name != REFERENCE.name}
    if reference is None:
        return Validation(runs=others, deviations={}, notes=())
    doubt = reference.failure or _doubt(reference, others, output, float_outputs)
    if doubt or reference.outputs is None:
        note = f"nothing was compared with the reference kernels of tflite-runtime: {doubt}"
        return Validation(runs=others, deviations={}, notes=(note,))
    boundary = decision_boundary(float_outputs)
    deviations = {
        name: deviation(run.outputs, reference.outputs, output, boundary)
        for name, run in others.items()
        if run.outputs is not None
    }
    return Validation(runs=others, deviations=deviations, notes=())


DOUBT_DB = 6.0
"""A difference twice as large; rounding alone moves the interpreters by fractions of this."""


def _doubt(
    reference: Run, others: dict[str, Run], output: Tensor, float_outputs: NDArray[Any]
) -> str | None:
    def ratio(run: Run) -> float:
        assert run.outputs is not None  # noqa: S101 (only runs that have outputs)
        found = sqnr_db(float_outputs, dequantize(run.outputs, output))
        return float("inf") if found is None else found

    made = {name: ratio(run) for name, run in others.items() if run.outputs is not None}
    if not made or min(made.values()) < ratio(reference) + DOUBT_DB:
        return None
    return (
        f"they are in doubt, with an SQNR of {ratio(reference):.1f} dB against the float model"
        f" where {', '.join(f'{name} reaches {found:.1f} dB' for name, found in made.items())}"
    )


def deviation(
    outputs: NDArray[Any], reference: NDArray[Any], tensor: Tensor, boundary: float
) -> Deviation:
    """Compare outputs (samples, ...) with the reference kernels' on the same inputs.

    ``tensor`` is the model's output, whose scale, with the decision boundary, tells a lone
    output's class.
    """
    lsb = np.abs(outputs.astype(np.int32) - reference.astype(np.int32))
    found, wanted = (classes(dequantize(q, tensor), boundary) for q in (outputs, reference))
    differs = found != wanted
    return Deviation(
        max_lsb=int(lsb.max()),
        mean_lsb=float(lsb.mean()),
        argmax_disagreements=int(differs.reshape(len(differs), -1).any(axis=1).sum()),
    )
