"""The stages of a comparison: each model with the scores of its outputs, by interpreter."""

from __future__ import annotations

from collections.abc import Mapping

from edgepack.evaluation.lost_channels import cure_of_loss
from edgepack.pipeline.comparison.cached_runs import RuntimeOutputs
from edgepack.pipeline.comparison.cached_scores import Scoring
from edgepack.pipeline.comparison.candidates import Candidate
from edgepack.pipeline.comparison.setup import ComparisonSetup
from edgepack.report.data.compare import FLOAT, PRUNED, Stage, StageRun
from edgepack.tflite.output_parts import output_layouts


def score_stages(
    setup: ComparisonSetup,
    float_run: RuntimeOutputs,
    runs: Mapping[str, Mapping[str, RuntimeOutputs]],
) -> list[Stage]:
    """Score the float model, then each candidate; ``runs`` are by candidate and runtime name."""
    scorings = {
        output.name: Scoring(
            place,
            float_run,
            setup.measures.get(output.name, ()),
            setup.classes.get(output.name, ()),
            setup.cache,
        )
        for place, output in enumerate(setup.float_model.signature.outputs)
    }
    return [
        _float_stage(setup, float_run, scorings),
        *(
            _stage(each, runs[each.name], _compressed_run(each, setup, runs), scorings)
            for each in setup.candidates
        ),
    ]


def _float_stage(
    setup: ComparisonSetup, run: RuntimeOutputs, scorings: Mapping[str, Scoring]
) -> Stage:
    float_model = setup.float_model
    scored = StageRun(
        version=run.version,
        failure=None,
        outputs={name: scoring.float_result() for name, scoring in scorings.items()},
    )
    return Stage(
        name=FLOAT,
        role=FLOAT,
        file=float_model.path.resolve().name,
        artifact=float_model.artifact,
        is_converted=False,
        runs={float_model.runtime: scored},
    )


def _compressed_run(
    candidate: Candidate,
    setup: ComparisonSetup,
    runs: Mapping[str, Mapping[str, RuntimeOutputs]],
) -> RuntimeOutputs | None:
    """Return a run of the compressed float model that a candidate is, or was quantized from."""
    compressed = candidate.file if candidate.role == PRUNED else candidate.pruned
    if compressed is None:
        return None
    names = [each.name for each in setup.candidates if each.file.data == compressed.data]
    found = (run for name in names for run in runs[name].values() if not run.failure)
    return next(found, None)


def _stage(
    candidate: Candidate,
    runs: Mapping[str, RuntimeOutputs],
    compressed: RuntimeOutputs | None,
    scorings: Mapping[str, Scoring],
) -> Stage:
    scored = {
        runtime: _run(candidate, each, compressed, scorings) for runtime, each in runs.items()
    }
    return Stage(
        name=candidate.name,
        role=candidate.role,
        file=candidate.file.path.name,
        artifact=candidate.file.artifact,
        is_converted=False,
        runs=scored,
        origin=candidate.origin,
        channel_cures={
            name: cure_of_loss(layout)
            for name, layout in zip(
                scorings, output_layouts(candidate.file.model.main), strict=True
            )
            if any(name in run.outputs and run.outputs[name].channels for run in scored.values())
        },
    )


def _run(
    candidate: Candidate,
    run: RuntimeOutputs,
    compressed: RuntimeOutputs | None,
    scorings: Mapping[str, Scoring],
) -> StageRun:
    """Score the outputs of one interpreter, in the float model's order."""
    graph = candidate.file.model.main
    outputs = zip(graph.output_tensors, output_layouts(graph), strict=True)
    scored = () if run.failure else zip(scorings.items(), outputs, strict=True)
    return StageRun(
        version=run.version,
        failure=run.failure,
        outputs={
            name: scoring.result(run, *output, compressed) for (name, scoring), output in scored
        },
    )
