"""What the interpreters gave, held against the float model's outputs."""

from __future__ import annotations

from collections.abc import Mapping

from edgepack.arrays import Arrays
from edgepack.deviation import Validation
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.score import Comparison, OutputComparison, Sampled
from edgepack.metrics import Measure
from edgepack.types import Tensor


def compare_outputs(
    validation: Validation,
    tensors: Mapping[str, Tensor],
    float_outputs: Arrays,
    pruned_outputs: Arrays | None,
    measures: Mapping[str, Measure],
    *,
    scheme: str,
    data: str,
) -> Comparison:
    """Compare what the interpreters gave with the float model's outputs, arrays (samples, ...).

    ``tensors`` and arrays are by output; ``scheme`` and ``data`` are those of
    :class:`~edgepack.evaluation.score.Comparison`.
    """
    return Comparison(
        scheme=scheme,
        data=data,
        samples=len(next(iter(float_outputs.values()))),
        outputs={
            name: _compare(
                validation,
                name,
                tensor,
                Evaluator(float_outputs[name], [measures[name]] if name in measures else []),
                measures.get(name),
                pruned_outputs,
            )
            for name, tensor in tensors.items()
        },
    )


def _compare(
    validation: Validation,
    name: str,
    tensor: Tensor,
    evaluator: Evaluator,
    measure: Measure | None,
    pruned_outputs: Arrays | None,
) -> OutputComparison:
    ran = {runtime: run for runtime, run in validation.runs.items() if run.outputs is not None}
    return OutputComparison(
        metric=measure.metric.name if measure else None,
        float_value=evaluator.float_value(),
        pruned=None if pruned_outputs is None else evaluator.score(pruned_outputs[name], None),
        quantized={
            runtime: evaluator.score(run.outputs[name], tensor, run.mask)
            for runtime, run in ran.items()
            if run.outputs is not None
        },
        sampled={
            runtime: Sampled(samples=run.samples, float_value=evaluator.float_value(run.mask))
            for runtime, run in ran.items()
            if run.samples is not None
        },
    )
