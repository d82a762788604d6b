"""Scores of the interpreters' outputs, compared with the float model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from edgepack.evaluation.deviation import ReferenceComparison
from edgepack.evaluation.evaluate import Evaluator
from edgepack.evaluation.scores import Comparison, OutputComparison, Sampled, Score
from edgepack.metrics import Measure
from edgepack.storage.arrays import Arrays
from edgepack.tflite.graph import Model, Tensor
from edgepack.tflite.output_parts import OutputLayout, output_layouts


def make_evaluators(
    float_outputs: Arrays, measures: Mapping[str, Measure], classes: Sequence[str] = ()
) -> dict[str, Evaluator]:
    """Return an evaluator for each output, by name; the float outputs are (samples, ...).

    ``classes`` are the class names, if there are any.
    """
    return {
        name: Evaluator(outputs, [measures[name]] if name in measures else [], classes)
        for name, outputs in float_outputs.items()
    }


def compare_outputs(
    validation: ReferenceComparison,
    model: Model,
    by_output: Mapping[str, Evaluator],
    measures: Mapping[str, Measure],
    *,
    pruned: Mapping[str, Score] | None = None,
    compressed: Arrays | None = None,
    scheme: str,
    data: str,
    samples: int,
) -> Comparison:
    """Compare the interpreters' outputs with the float model's.

    ``model`` is the quantized one. All mappings are keyed by output name, in order: ``by_output``
    has the evaluators of :func:`make_evaluators`, ``pruned`` the scores of the pruned float model,
    and ``compressed`` the outputs of the compressed one (samples, ...), if there are such models.
    ``scheme``, ``data`` and ``samples`` are as in :class:`~edgepack.evaluation.scores.Comparison`.
    """
    return Comparison(
        scheme=scheme,
        data=data,
        samples=samples,
        outputs={
            name: _compare(
                validation,
                name,
                tensor,
                layout,
                evaluator,
                measures.get(name),
                pruned[name] if pruned else None,
                compressed[name] if compressed else None,
            )
            for (name, evaluator), tensor, layout in zip(
                by_output.items(),
                model.main.output_tensors,
                output_layouts(model.main),
                strict=True,
            )
        },
    )


def _compare(
    validation: ReferenceComparison,
    name: str,
    tensor: Tensor,
    layout: OutputLayout,
    evaluator: Evaluator,
    measure: Measure | None,
    pruned: Score | None,
    compressed: NDArray[Any] | None,
) -> OutputComparison:
    finished = {runtime: run for runtime, run in validation.runs.items() if run.outputs is not None}
    channels = {
        runtime: evaluator.channels(run.outputs[name], tensor, layout, run.mask)
        for runtime, run in finished.items()
        if run.outputs is not None
    }
    return OutputComparison(
        metric=measure.metric.name if measure else None,
        float_value=evaluator.float_value(),
        pruned=pruned,
        quantized={
            runtime: evaluator.score(run.outputs[name], tensor, run.mask, compressed)
            for runtime, run in finished.items()
            if run.outputs is not None
        },
        sampled={
            runtime: Sampled(samples=run.samples, float_value=evaluator.float_value(run.mask))
            for runtime, run in finished.items()
            if run.samples is not None
        },
        channels={runtime: groups for runtime, groups in channels.items() if groups},
    )
