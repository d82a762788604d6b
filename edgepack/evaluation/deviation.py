"""Hold the interpreters' outputs against the reference kernels, and these against float."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.devices.kernel_defects import defects_of
from edgepack.evaluation.paired_outputs import Mask, paired_blocks, sqnr_db
from edgepack.metrics import decision_boundary, predicted_classes
from edgepack.quantization.affine import dequantize
from edgepack.runtimes import REFERENCE
from edgepack.runtimes.run_result import Run
from edgepack.storage.arrays import Arrays, extremes
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.operator_calls import OperatorCall


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How far outputs are from the reference kernels', over all samples.

    ``max_lsb`` and ``mean_lsb`` are absolute differences of the integers; outputs in float are
    counted in steps of an int8 that would cover the reference's.
    ``argmax_disagreements`` counts the samples that get another class anywhere in their output.
    """

    max_lsb: float
    mean_lsb: float
    argmax_disagreements: int

    @property
    def largest(self) -> str:
        """The largest difference in words."""
        number = self.max_lsb
        return f"{number:,} LSB" if isinstance(number, int) else f"{number:.2g} LSB"


@dataclass(frozen=True, kw_only=True)
class ReferenceComparison:
    """The runs of the runtimes, and how far each is from the reference kernels where both ran.

    ``deviations`` is by runtime, then by output, over the samples that both ran. ``notes`` says in
    sentences what could not be compared.
    """

    runs: dict[str, Run]
    deviations: dict[str, dict[str, Deviation]]
    notes: tuple[str, ...]


def compare_with_reference_kernels(
    runs: dict[str, Run],
    tensors: Mapping[str, Tensor],
    float_outputs: Arrays | None,
    defect: str | None = None,
) -> ReferenceComparison:
    """Take the reference kernels' run out of ``runs`` and compare the others with it.

    ``tensors`` and ``float_outputs`` are the outputs, by name, of the quantized and the float
    model; None where that was not run.
    Reference kernels have defects too: where their outputs are farther from the float model's
    than every other interpreter's by :data:`DOUBT_DB`, they are not taken for the truth; nor if
    there is a ``defect``, as :func:`known_defect` tells it.
    """
    reference = runs.get(REFERENCE.name)
    others = {name: run for name, run in runs.items() if name != REFERENCE.name}
    if reference is None:
        return ReferenceComparison(runs=others, deviations={}, notes=(*_uneven(others),))
    doubt = reference.failure or defect
    if not doubt and float_outputs is not None:
        doubt = _doubt(reference, others, tensors, float_outputs)
    if doubt or reference.outputs is None:
        doubt = doubt or _UNEVEN
        note = f"nothing was compared with the reference kernels of tflite-runtime: {doubt}"
        return ReferenceComparison(runs=others, deviations={}, notes=(note, *_uneven(others)))
    unlike = {name for name, run in others.items() if not _is_alike(run, reference.outputs)}
    deviations = {
        runtime: {
            name: deviation(
                outputs,
                reference.outputs[name],
                tensors[name],
                decision_boundary(
                    dequantize(extremes(reference.outputs[name]), tensors[name])
                    if float_outputs is None
                    else extremes(float_outputs[name])
                ),
                None if len(outputs) == len(reference.outputs[name]) else reference.mask,
            )
            for name, outputs in run.outputs.items()
        }
        for runtime, run in others.items()
        if run.outputs is not None and runtime not in unlike
    }
    notes = [f"nothing was compared of {name}, whose {_UNLIKE}" for name in sorted(unlike)]
    return ReferenceComparison(runs=others, deviations=deviations, notes=(*_uneven(others), *notes))


_UNLIKE = "outputs have other shapes than those of the reference kernels"
_UNEVEN = "outputs change their size from sample to sample, or are empty"


def why_no_outputs(run: Run) -> str:
    """Say why a run that gave no outputs gave none."""
    return run.failure or f"its {_UNEVEN}"


def _is_alike(run: Run, reference: Arrays) -> bool:
    """Whether outputs, if there are any, have the reference's shapes."""
    return run.outputs is None or all(
        outputs.shape[1:] == reference[name].shape[1:] for name, outputs in run.outputs.items()
    )


def _uneven(runs: Mapping[str, Run]) -> Iterator[str]:
    """Say which interpreters ran, but gave what cannot be put into an array."""
    for name, run in runs.items():
        if run.outputs is None and run.failure is None and not run.is_loaded_only:
            yield f"nothing was compared of {name}, whose {_UNEVEN}"


def tolerated_lsb(model: Model) -> int:
    """Tell by how much TensorFlow Lite Micro may differ from the reference kernels: bit by bit 0.

    1 where the two round otherwise: SOFTMAX in int16 looks its values up in tables, and a fused
    LSTM computes its gates in another order.
    """
    graph = model.main
    return int(
        any(
            operator.name == "UNIDIRECTIONAL_SEQUENCE_LSTM"
            or (operator.name == "SOFTMAX" and graph.tensors[operator.outputs[0]].dtype == "int16")
            for operator in graph.operators
        )
    )


def known_defect(model: Model) -> str | None:
    """Say what in a file the reference kernels of tflite-runtime 2.14 compute wrongly."""
    for operator in model.main.operators:
        for defect in defects_of(OperatorCall.of(model.main, operator)):
            if REFERENCE.name in defect.wrong:
                return f"they are in doubt: {operator.name} with {defect.what} is wrong there"
    return None


_STEPS_OF_INT8 = 255

DOUBT_DB = 6.0
"""A difference twice as large; rounding alone moves the interpreters by fractions of this."""


def _doubt(
    reference: Run, others: dict[str, Run], tensors: Mapping[str, Tensor], float_outputs: Arrays
) -> str | None:
    def ratio(run: Run, output: str) -> float:
        assert run.outputs is not None  # noqa: S101 (only runs that have outputs)
        found = sqnr_db(float_outputs[output], run.outputs[output], tensors[output], reference.mask)
        return float("inf") if found is None else found

    ran = {name: run for name, run in others.items() if run.outputs is not None}
    for output in tensors:
        wanted = ratio(reference, output)
        made = {name: ratio(run, output) for name, run in ran.items()}
        if made and min(made.values()) >= wanted + DOUBT_DB:
            return (
                f"they are in doubt, with an SQNR of {wanted:.1f} dB against the float model where"
                f" {', '.join(f'{name} reaches {found:.1f} dB' for name, found in made.items())}"
            )
    return None


def deviation(
    outputs: NDArray[Any],
    reference: NDArray[Any],
    tensor: Tensor,
    boundary: float,
    mask: Mask | None = None,
) -> Deviation:
    """Compare outputs (samples, ...) with the reference kernels' on the same inputs.

    ``tensor`` is the model's output, whose scale, with the decision boundary, tells a lone
    output's class. With a ``mask`` of the samples, ``reference`` has those only.
    """
    is_real = outputs.dtype.kind == "f"
    step = (float(np.ptp(extremes(reference))) / _STEPS_OF_INT8 or 1.0) if is_real else 1
    largest: list[float] = []
    total: float = 0
    values = disagreements = 0
    for _, *pair in paired_blocks(outputs, reference, None, mask):
        made, wanted = (block.astype(np.float64 if is_real else np.int64) for block in pair)
        lsb = np.abs(made - wanted) / step if is_real else np.abs(made - wanted)
        largest.append(lsb.max().item())
        total += lsb.sum().item()
        values += lsb.size
        ours, theirs = (_classes(dequantize(block, tensor), boundary) for block in pair)
        disagreements += int((ours != theirs).any(axis=1).sum())
    return Deviation(
        max_lsb=max(largest),
        mean_lsb=total / values,
        argmax_disagreements=disagreements,
    )


def _classes(outputs: NDArray[Any], boundary: float) -> NDArray[Any]:
    """Turn outputs (samples, ...) into class numbers (samples, others)."""
    rows = len(outputs)
    return predicted_classes(
        outputs.reshape(rows, -1) if outputs.ndim == 1 else outputs, boundary
    ).reshape(rows, -1)
