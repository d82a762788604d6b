"""Comparison of the interpreters' outputs with those of the reference kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepack.evaluation.paired_outputs import Mask, paired_blocks, sqnr_db
from edgepack.metrics import decision_boundary, predicted_classes
from edgepack.quantization.affine import dequantize
from edgepack.runtimes import REFERENCE
from edgepack.runtimes.kernel_defects import defects_of
from edgepack.runtimes.run_result import Run
from edgepack.storage.arrays import Arrays, min_and_max
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.operator_calls import OperatorCall


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """The deviation of outputs from those of the reference kernels, over all samples.

    ``max_lsb`` and ``mean_lsb`` are absolute differences of the integers, in LSB. For float
    outputs, the LSB is the step of an int8 quantization over the range of the reference outputs.
    ``argmax_disagreements`` is the number of samples whose predicted class differs anywhere in
    their output.
    """

    max_lsb: float
    mean_lsb: float
    argmax_disagreements: int

    @property
    def largest(self) -> str:
        """The largest difference as text, in LSB."""
        number = self.max_lsb
        return f"{number:,} LSB" if isinstance(number, int) else f"{number:.2g} LSB"


@dataclass(frozen=True, kw_only=True)
class ReferenceComparison:
    """The runs of all runtimes but the reference kernels, and their deviations from these.

    ``deviations`` is by runtime, then by output, over the samples that both ran. ``notes`` are
    sentences about what could not be compared.
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
    """Compare all other runs with that of the reference kernels.

    ``tensors`` are the outputs of the quantized model, by name. ``float_outputs`` are the output
    values of the float model, by name; None if it was not run.

    Reference kernels have defects too. They are not trusted if their outputs are farther from the
    float model's than those of every other interpreter, by at least :data:`DOUBT_DB`, or if there
    is a ``defect`` as returned by :func:`find_known_defect`.
    """
    reference = runs.get(REFERENCE.name)
    others = {name: run for name, run in runs.items() if name != REFERENCE.name}
    if reference is None:
        return ReferenceComparison(runs=others, deviations={}, notes=(*_uneven_notes(others),))
    doubt = reference.failure or defect
    if not doubt and float_outputs is not None:
        doubt = _doubt(reference, others, tensors, float_outputs)
    if doubt or reference.outputs is None:
        doubt = doubt or f"their {_UNEVEN}"
        note = f"nothing was compared with the reference kernels of tflite-runtime: {doubt}"
        return ReferenceComparison(runs=others, deviations={}, notes=(note, *_uneven_notes(others)))
    mismatched = {name for name, run in others.items() if not _shapes_match(run, reference.outputs)}
    deviations = {
        runtime: {
            name: output_deviation(
                outputs,
                reference.outputs[name],
                tensors[name],
                decision_boundary(
                    dequantize(min_and_max(reference.outputs[name]), tensors[name])
                    if float_outputs is None
                    else min_and_max(float_outputs[name])
                ),
                None if len(outputs) == len(reference.outputs[name]) else reference.mask,
            )
            for name, outputs in run.outputs.items()
        }
        for runtime, run in others.items()
        if run.outputs is not None and runtime not in mismatched
    }
    notes = [f"{name} was not compared: its {_MISMATCHED}" for name in sorted(mismatched)]
    return ReferenceComparison(
        runs=others, deviations=deviations, notes=(*_uneven_notes(others), *notes)
    )


_MISMATCHED = "outputs have other shapes than those of the reference kernels"
_UNEVEN = "outputs vary in size from sample to sample, or are empty"


def why_no_outputs(run: Run) -> str:
    """Return the reason why a run has no outputs, in words."""
    return run.failure or f"its {_UNEVEN}"


def _shapes_match(run: Run, reference: Arrays) -> bool:
    """Whether a run's outputs, if it has any, have the shapes of the reference outputs."""
    return run.outputs is None or all(
        outputs.shape[1:] == reference[name].shape[1:] for name, outputs in run.outputs.items()
    )


def _uneven_notes(runs: Mapping[str, Run]) -> Iterator[str]:
    """Yield a note for each interpreter that ran, but whose outputs do not fit into an array."""
    for name, run in runs.items():
        if run.outputs is None and run.failure is None and not run.is_loaded_only:
            yield f"{name} was not compared: its {_UNEVEN}"


def tolerated_lsb(model: Model) -> int:
    """Return how much TensorFlow Lite Micro may differ from the reference kernels, in LSB.

    0 (bit-exact), or 1 for models with operators that round differently: int16 SOFTMAX uses lookup
    tables, and a fused LSTM computes its gates in another order.
    """
    graph = model.main
    return int(
        any(
            operator.name == "UNIDIRECTIONAL_SEQUENCE_LSTM"
            or (operator.name == "SOFTMAX" and graph.tensors[operator.outputs[0]].dtype == "int16")
            for operator in graph.operators
        )
    )


def find_known_defect(model: Model) -> str | None:
    """Return, in words, what the reference kernels of tflite-runtime 2.14 compute incorrectly.

    None if no operator of the model is known to be affected.
    """
    for operator in model.main.operators:
        for defect in defects_of(OperatorCall.of(model.main, operator)):
            if REFERENCE.name in defect.wrong:
                return f"they are in doubt: they compute {operator.name} with {defect.what} wrongly"
    return None


_STEPS_OF_INT8 = 255

DOUBT_DB = 6.0
"""Twice the error amplitude; rounding alone makes interpreters differ by a fraction of this."""

_EXACT_DB = 100.0
"""What only float32 reaches, whose rounding may differ by more than :data:`DOUBT_DB`."""


def _doubt(
    reference: Run, others: dict[str, Run], tensors: Mapping[str, Tensor], float_outputs: Arrays
) -> str | None:
    def sqnr(run: Run, output: str) -> float:
        assert run.outputs is not None  # noqa: S101 (only runs that have outputs)
        ratio = sqnr_db(float_outputs[output], run.outputs[output], tensors[output], reference.mask)
        return float("inf") if ratio is None else ratio

    ran = {name: run for name, run in others.items() if run.outputs is not None}
    for output in tensors:
        reference_sqnr = sqnr(reference, output)
        sqnrs = {name: sqnr(run, output) for name, run in ran.items()}
        if reference_sqnr >= _EXACT_DB:
            continue
        if sqnrs and min(sqnrs.values()) >= reference_sqnr + DOUBT_DB:
            reached = " and ".join(
                f"{name} reaches {ratio:.1f} dB" for name, ratio in sqnrs.items()
            )
            return (
                "they are in doubt: their SQNR against the float model is"
                f" {reference_sqnr:.1f} dB, while {reached}"
            )
    return None


def output_deviation(
    outputs: NDArray[Any],
    reference: NDArray[Any],
    tensor: Tensor,
    boundary: float,
    mask: Mask | None = None,
) -> Deviation:
    """Compare outputs (samples, ...) with those of the reference kernels on the same inputs.

    ``tensor`` is the model's output, with the quantization of integers. ``boundary`` is the
    decision boundary of a single-output binary classifier. With a ``mask``, ``reference`` has only
    its samples.
    """
    is_real = outputs.dtype.kind == "f"
    step = (float(np.ptp(min_and_max(reference))) / _STEPS_OF_INT8 or 1.0) if is_real else 1
    maxima: list[float] = []
    total: float = 0
    values = disagreements = 0
    for _, *pair in paired_blocks(outputs, reference, None, mask):
        block, expected = (each.astype(np.float64 if is_real else np.int64) for each in pair)
        lsb = np.abs(block - expected) / step if is_real else np.abs(block - expected)
        maxima.append(lsb.max().item())
        total += lsb.sum().item()
        values += lsb.size
        predicted, expected_classes = (
            _predicted_classes(dequantize(each, tensor), boundary) for each in pair
        )
        disagreements += int((predicted != expected_classes).any(axis=1).sum())
    return Deviation(
        max_lsb=max(maxima),
        mean_lsb=total / values,
        argmax_disagreements=disagreements,
    )


def _predicted_classes(outputs: NDArray[Any], boundary: float) -> NDArray[Any]:
    """Return the predicted classes of outputs (samples, ...), flattened to (samples, positions)."""
    rows = len(outputs)
    return predicted_classes(
        outputs.reshape(rows, -1) if outputs.ndim == 1 else outputs, boundary
    ).reshape(rows, -1)
